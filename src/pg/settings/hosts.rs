//! libpq's parallel lists of `host`, `hostaddr` and `port` as addresses to try.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::pg::connect_error::ConnectError;
use crate::pg::host::{DEFAULT_PORT, Host, Location, SOCKET_FOLDERS};

use super::values::Values;

/// Returns the addresses to try, in order; never none.
pub(super) fn hosts(values: &Values) -> Result<Vec<Host>, ConnectError> {
    let names = list(values, "host");
    let addresses = list(values, "hostaddr");
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        return Err(values.wrong("hostaddr", "give as many addresses as there are hosts"));
    }
    let count = names.len().max(addresses.len()).max(1);
    let ports = ports(values, count)?;
    let mut hosts = Vec::new();
    for (index, port) in ports.into_iter().enumerate() {
        let name = names.get(index).copied().unwrap_or_default();
        let address = addresses.get(index).copied().unwrap_or_default();
        let locations = locations(values, name, address)?;
        hosts.extend(
            locations
                .into_iter()
                .map(|location| Host { location, port }),
        );
    }
    Ok(hosts)
}

fn list<'a>(values: &'a Values, name: &str) -> Vec<&'a str> {
    values
        .text(name)
        .map(|text| text.split(',').map(str::trim).collect())
        .unwrap_or_default()
}

fn ports(values: &Values, count: usize) -> Result<Vec<u16>, ConnectError> {
    let parsed = list(values, "port")
        .into_iter()
        .map(|port| match port {
            "" => Some(DEFAULT_PORT),
            text => text.parse::<u16>().ok().filter(|port| *port > 0),
        })
        .collect::<Option<Vec<u16>>>()
        .ok_or_else(|| values.wrong("port", "give a number from 1 to 65535"))?;
    match parsed.as_slice() {
        [] => Ok(vec![DEFAULT_PORT; count]),
        [one] => Ok(vec![*one; count]),
        many if many.len() == count => Ok(parsed),
        _ => Err(values.wrong("port", "give one port, or as many as there are hosts")),
    }
}

fn locations(values: &Values, name: &str, address: &str) -> Result<Vec<Location>, ConnectError> {
    if !address.is_empty() {
        let parsed: IpAddr = address
            .parse()
            .map_err(|_| values.wrong("hostaddr", "give an address such as 192.0.2.7 or ::1"))?;
        let name = if name.is_empty() { address } else { name };
        return Ok(vec![Location::Tcp {
            name: name.to_owned(),
            address: Some(parsed),
        }]);
    }
    if name.is_empty() {
        return Ok(default_sockets());
    }
    Ok(vec![Location::parse(name)])
}

fn default_sockets() -> Vec<Location> {
    SOCKET_FOLDERS
        .iter()
        .map(|folder| Location::Socket(PathBuf::from(folder)))
        .collect()
}
