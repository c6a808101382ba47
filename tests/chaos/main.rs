//! Runs that something goes wrong with: the program is killed, its session ended, its server crashed, its
//! connection harmed at a chosen message. Whatever it was, a fix is done once or not at all.

mod cases;
mod dice;
mod fault;
mod frame;
mod ground;
mod link;
mod moment;
mod plain;
mod proxy;
mod server;
mod storm;
mod trial;
