//! Client addresses: one spelling, and the network that stands for a consumer's place.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads a client address as logs write it.
///
/// Strips a port, brackets, quotes and an IPv6 zone, takes the first entry of an
/// `X-Forwarded-For` list or a `Forwarded` header, and writes an IPv4 address
/// inside IPv6 as IPv4. A service's host name comes back as it is.
pub fn clean_ip(text: &str) -> Cow<'_, str> {
    if text.parse::<Ipv4Addr>().is_ok() {
        return Cow::Borrowed(text);
    }
    let first = text.split(',').next().unwrap_or(text).trim();
    let first = forwarded_for(first).trim_matches(['"', ' ']);
    match parse_address(first) {
        Some(ip) => {
            let ip = ip.to_canonical().to_string();
            if ip == first { Cow::Borrowed(first) } else { Cow::Owned(ip) }
        }
        None => Cow::Borrowed(without_port(first)),
    }
}

/// The address in a text, if it holds one.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    clean_ip(text).parse().ok()
}

/// Returns the network of an address: /24 for IPv4, /48 for IPv6.
///
/// Hosts of one site or provider pool change addresses within such a network;
/// what is no address (a service's host name) stands for itself.
pub fn network(text: &str) -> String {
    let clean = clean_ip(text);
    match clean.parse() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            let prefix = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0);
            format!("{prefix}/48")
        }
        Err(_) => clean.into_owned(),
    }
}

fn parse_address(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    let inner = text.strip_prefix('[').unwrap_or(text);
    let inner = inner.split(']').next().unwrap_or(inner);
    let inner = inner.split('%').next().unwrap_or(inner);
    inner.parse().ok()
}

/// `for="[2001:db8::1]:80";proto=https` names the client after `for=`.
fn forwarded_for(text: &str) -> &str {
    let entry = text
        .split(';')
        .map(str::trim)
        .find(|it| it.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("for=")));
    entry.map_or(text, |it| &it[4..])
}

fn without_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((host, port))
            if !host.contains(':')
                && !host.is_empty()
                && !port.is_empty()
                && port.bytes().all(|it| it.is_ascii_digit()) =>
        {
            host
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_found_in_every_spelling() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            (" 203.0.113.7 ", "203.0.113.7"),
            ("203.0.113.7:443", "203.0.113.7"),
            ("203.0.113.7, 10.0.0.1", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("for=\"[2001:db8::1]:80\";proto=https", "2001:db8::1"),
            ("proto=http;For=203.0.113.7", "203.0.113.7"),
            ("cloudtrail.amazonaws.com", "cloudtrail.amazonaws.com"),
            ("proxy.example:8080", "proxy.example"),
            ("AWS Internal", "AWS Internal"),
            ("81.2.69.xxx", "81.2.69.xxx"),
            ("", ""),
        ] {
            assert_eq!(clean_ip(text), expected, "{text}");
        }
    }

    #[test]
    fn a_network_is_a_24_or_a_48() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.0/24"),
            ("203.0.113.7:1", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
            ("::1", "::/48"),
            ("health.amazonaws.com", "health.amazonaws.com"),
        ] {
            assert_eq!(network(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text: String) {
            let once = clean_ip(&text).into_owned();
            if once.parse::<IpAddr>().is_ok() {
                prop_assert_eq!(clean_ip(&once), once.as_str());
            }
            let _ = network(&text);
        }

        #[test]
        fn an_address_with_a_port_is_the_address(ip: IpAddr, port: u16) {
            let text = SocketAddr::new(ip, port).to_string();
            prop_assert_eq!(clean_ip(&text), ip.to_canonical().to_string());
        }
    }
}
