//! People with logins of their own, who run and approve.

use std::process::Command;

use regex_lite::Regex;

use crate::test::{Ran, Test};

/// A test with a table, and the logins of ann, who runs, and of ben and cat; ben is a member of the role `dba`.
pub(crate) struct People {
    pub(crate) test: Test,
}

const PEOPLE: [&str; 3] = ["ann", "ben", "cat"];

impl People {
    pub(crate) fn new() -> Self {
        let test = Test::sql(
            "CREATE TABLE users (id int PRIMARY KEY, plan text NOT NULL); \
             INSERT INTO users SELECT n, 'free' FROM generate_series(1, 5) n",
        );
        let people = Self { test };
        let (ann, ben, cat) = (
            people.login("ann"),
            people.login("ben"),
            people.login("cat"),
        );
        let dba = people.login("dba");
        people.test.connect().run(&format!(
            "CREATE ROLE {dba}; CREATE ROLE {ann} LOGIN; CREATE ROLE {ben} LOGIN IN ROLE {dba}; CREATE ROLE {cat} LOGIN; \
             GRANT SELECT, UPDATE ON users TO {ann}, {ben}, {cat}"
        ));
        let grant = format!("init --grant {ann} --grant {ben} --grant {cat}");
        people.test.run(&grant).code(0);
        people
    }

    /// The same with the runbook `t`, which asks before it raises the plan of two users.
    pub(crate) fn asking(approvers: u32) -> Self {
        let people = Self::new();
        people.write(approvers);
        people
    }

    pub(crate) fn write(&self, approvers: u32) {
        let text = format!(
            "runbook: t\ntitle: Raise the plan\nrisk: medium\nlock: users\nparams:\n  plan:\n    type: text\n    default: gold\nsteps:\n\
             \x20 - confirm: go\n    of: raise\n    approvers: {approvers}\n    ask: Raise it to {{{{ plan }}}}?\n\
             \x20 - fix: raise\n    sql: UPDATE users SET plan = {{{{ plan }}}} WHERE id < 3\n    rows: 2\n\
             \x20 - check: after\n    that: true\n"
        );
        self.file(&text);
    }

    pub(crate) fn file(&self, text: &str) {
        let path = self.test.root().join("work/runbooks/t.yaml");
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn login(&self, name: &str) -> String {
        format!("{name}_{}", self.test.db.name())
    }

    pub(crate) fn url(&self, name: &str) -> String {
        let login = format!("{}@", self.login(name));
        self.test.db.url().replacen("postgres@", &login, 1)
    }

    /// Returns the program as somebody runs it. Only ann has the records of runs: the others are at other machines.
    pub(crate) fn command(&self, name: &str, args: &str) -> Command {
        let url = self.url(name);
        let mut command = self.test.bare(args.split_whitespace());
        command.args(["--database-url", &url]);
        if name != "ann" {
            command.args(["--state-dir", name]);
        }
        command
    }

    /// Runs the program as somebody.
    pub(crate) fn by(&self, name: &str, args: &str) -> Ran {
        let ran = self.test.ran(&self.command(name, args).output().unwrap());
        self.clean(&ran)
    }

    fn clean(&self, ran: &Ran) -> Ran {
        Ran {
            stdout: self.plain(&ran.stdout),
            stderr: self.plain(&ran.stderr),
            code: ran.code,
        }
    }

    /// Returns a text without what is another each time.
    pub(crate) fn plain(&self, text: &str) -> String {
        let mut text = text.replace("_DB", "");
        if let Some(run) = self.run_id() {
            text = text.replace(&run, "RUN");
        }
        let patterns = [
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "MOMENT"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00", "MOMENT"),
            (r"\b[0-9a-f]{64}\b", "SHA256"),
            (r"\([^()\s]+@[^()\s]+\)", "(USER@HOST)"),
        ];
        for (pattern, becomes) in patterns {
            let pattern = Regex::new(pattern).unwrap();
            text = pattern.replace_all(&text, becomes).into_owned();
        }
        text
    }

    fn run_id(&self) -> Option<String> {
        let index = self.test.root().join(".local/state/runbook/index.jsonl");
        index.exists().then(|| self.test.id())
    }

    /// Has ann run `t` until it waits; returns the run's id.
    #[track_caller]
    pub(crate) fn wait(&self) -> String {
        self.by("ann", "run t --answer go=yes").code(15);
        self.test.id()
    }

    /// Returns what an approval of the run is bound to.
    #[track_caller]
    pub(crate) fn digest(&self, run: &str) -> String {
        let row = format!(
            "SELECT digest FROM runbook.request WHERE run = '{run}' ORDER BY id DESC LIMIT 1"
        );
        self.test.rows(&row)
    }

    /// Has somebody approve.
    #[track_caller]
    pub(crate) fn approve(&self, name: &str, run: &str) {
        let digest = self.digest(run);
        self.by(name, &format!("approve {run} --digest {digest}"))
            .code(0);
    }

    /// Returns what the server says of statements of somebody's own.
    pub(crate) fn sql(&self, name: &str, sql: &str) -> String {
        let url = self.url(name);
        let said = crate::session::block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
                .await
                .unwrap();
            let connection = tokio::spawn(connection);
            let said = client.batch_execute(sql).await;
            drop(client);
            connection.await.unwrap().unwrap();
            said
        });
        match said {
            Ok(()) => "done".to_owned(),
            Err(error) => self.plain(&self.test.redact(error.as_db_error().unwrap().message())),
        }
    }

    pub(crate) fn plans(&self) -> String {
        self.test
            .rows("SELECT string_agg(plan, ' ' ORDER BY id) FROM users")
    }

    /// Returns what was said of requests.
    pub(crate) fn words(&self) -> String {
        self.plain(
            &self.test.redact(
                &self
                    .test
                    .rows("SELECT word, login, reason FROM runbook.verdict ORDER BY id"),
            ),
        )
    }

    /// Has it be later than the request of a run allows.
    pub(crate) fn expire(&self) {
        self.test.connect().run(
            "ALTER TABLE runbook.request DISABLE TRIGGER past; UPDATE runbook.request SET expires_at = now(); \
             ALTER TABLE runbook.request ENABLE ALWAYS TRIGGER past",
        );
    }
}

impl Drop for People {
    fn drop(&mut self) {
        for name in PEOPLE.iter().chain(&["dba"]) {
            let login = self.login(name);
            self.test
                .connect()
                .run(&format!("DROP OWNED BY {login}; DROP ROLE {login}"));
        }
    }
}
