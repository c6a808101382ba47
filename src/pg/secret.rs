//! Passwords that no output can show.

pub use crate::base::secret::Secret;

/// Masks the passwords of connection URLs and of `password=…` in a text that may quote what a person typed
/// in the wrong place.
pub fn mask_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find([' ', '\n', '`', '"', '\'', '/'])
            .unwrap_or(after.len());
        rest = match (after[..end].find(':'), after[..end].rfind('@')) {
            (Some(colon), Some(host)) if colon < host => {
                out.push_str(&after[..=colon]);
                out.push_str("•••");
                &after[host..]
            }
            _ => after,
        };
    }
    out.push_str(rest);
    mask_keyword(&out)
}

fn mask_keyword(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("password=") {
        let (before, after) = rest.split_at(at + "password=".len());
        out.push_str(before);
        let end = after.find([' ', '\n', '`', '&']).unwrap_or(after.len());
        if end > 0 {
            out.push_str("•••");
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_a_text_are_masked() {
        let cases = [
            (
                "there is no `postgres://u:p@h/d`",
                "there is no `postgres://u:•••@h/d`",
            ),
            ("postgres://u:p@ss@h", "postgres://u:•••@h"),
            (
                "postgres://u@h/d and http://x:80/y",
                "postgres://u@h/d and http://x:80/y",
            ),
            ("host=h password=x user=u", "host=h password=••• user=u"),
        ];
        for (text, masked) in cases {
            assert_eq!(mask_passwords(text), masked);
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "••• •••");
        assert_eq!(secret.reveal(), "hunter2");
    }
}
