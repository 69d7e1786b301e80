//! The fingerprint of a certificate: its SHA-256, in the form in which people compare it.

use std::fmt;
use std::str::FromStr;

/// How many bytes a SHA-256 has.
const BYTES: usize = 32;

/// The SHA-256 of a certificate (its DER form), which no other certificate has.
///
/// It is shown as `SHA256:AB:CD:..`, 32 bytes in upper-case hexadecimal. It is read with or without the prefix and the
/// colons, in either case, and as `openssl x509 -noout -fingerprint -sha256` writes it.
///
/// # Example
/// ```
/// use snakk::client::Fingerprint;
///
/// let shown = "SHA256:0F:1E:2D:3C:4B:5A:69:78:87:96:A5:B4:C3:D2:E1:F0:0F:1E:2D:3C:4B:5A:69:78:87:96:A5:B4:C3:D2:E1:F0";
/// let fingerprint: Fingerprint = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0".parse()?;
/// assert_eq!(fingerprint.to_string(), shown);
/// assert_eq!(shown.parse(), Ok(fingerprint));
/// # Ok::<(), snakk::client::FingerprintError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; BYTES]);

/// Why a text is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is SHA256: and 64 hexadecimal digits, such as {example}; {why}", example = EXAMPLE)]
pub struct FingerprintError {
    why: Why,
}

/// The beginning of a fingerprint.
const EXAMPLE: &str = "SHA256:0F:1E:2D:3C:..";

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error("here are {0}")]
    Digits(usize),
    #[error("{0:?} is not one")]
    Digit(char),
    #[error("this is one of another kind")]
    Kind,
}

impl Fingerprint {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Fingerprint {
        Fingerprint(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SHA256")?;
        self.0.iter().try_for_each(|byte| write!(f, ":{byte:02X}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Fingerprint, FingerprintError> {
        if ["sha1", "md5", "sha384", "sha512"].iter().any(|other| starts_with(text.trim(), other)) {
            return Err(FingerprintError { why: Why::Kind });
        }
        let (mut bytes, mut digits) = ([0; BYTES], 0);
        for c in without_prefix(text.trim()).chars().filter(|c| *c != ':' && *c != ' ') {
            let digit = c.to_digit(16).ok_or(FingerprintError { why: Why::Digit(c) })?;
            if let Some(byte) = bytes.get_mut(digits / 2) {
                // A digit is below 16, and the first one of each pair is shifted out of its half by the second.
                *byte = *byte << 4 | digit as u8;
            }
            digits += 1;
        }
        if digits == 2 * BYTES { Ok(Fingerprint(bytes)) } else { Err(FingerprintError { why: Why::Digits(digits) }) }
    }
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The text behind `SHA256:`, `sha256=` or `sha256 Fingerprint=`, if it begins so.
fn without_prefix(text: &str) -> &str {
    let Some((word, rest)) = text.split_at_checked("sha256".len()) else { return text };
    if !word.eq_ignore_ascii_case("sha256") {
        return text;
    }
    let rest = rest.trim_start();
    match rest.split_at_checked("fingerprint".len()) {
        Some((word, rest)) if word.eq_ignore_ascii_case("fingerprint") => rest.trim_start(),
        _ => rest,
    }
    .trim_start_matches(['=', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str =
        "SHA256:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:F0:F1:F2:F3:F4:F5:F6:F7:F8:F9:FA:FB:FC:FD:FE:FF";

    fn fingerprint() -> Fingerprint {
        let mut bytes = [0; BYTES];
        for (index, byte) in (0..).zip(&mut bytes) {
            *byte = if index < 16 { index } else { index - 16 + 0xf0 };
        }
        Fingerprint::from_bytes(bytes)
    }

    #[test]
    fn what_is_shown_can_be_read() {
        assert_eq!(fingerprint().to_string(), SHOWN);
        assert_eq!(SHOWN.parse(), Ok(fingerprint()));
        assert_eq!(format!("{:?}", fingerprint()), format!("Fingerprint({SHOWN})"));
    }

    #[test]
    fn it_is_read_in_all_the_forms_in_which_people_have_it() {
        let colons = SHOWN.trim_start_matches("SHA256:");
        let digits = colons.replace(':', "");
        for text in [
            colons.to_owned(),
            digits.clone(),
            digits.to_lowercase(),
            format!("sha256:{digits}"),
            format!("sha256={colons}"),
            format!("sha256 Fingerprint={colons}"),
            format!("SHA256 Fingerprint={colons}\n"),
            format!("  {}\n", SHOWN.to_lowercase()),
            colons.replace(':', " "),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint()), "{text:?}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        for (text, why) in [
            ("".to_owned(), "here are 0"),
            ("SHA256".to_owned(), "here are 0"),
            ("SHA256:".to_owned(), "here are 0"),
            (SHOWN.replace(":FF", ""), "here are 62"),
            (format!("{SHOWN}:0"), "here are 65"),
            (SHOWN.replace("FF", "FG"), "'G' is not one"),
            ("sha1 Fingerprint=00:11".to_owned(), "this is one of another kind"),
            ("SHAKE:00".to_owned(), "'S' is not one"),
            ("SHA256:uNiGJ4Q8Vk".to_owned(), "'u' is not one"),
            ("sha2😀".to_owned(), "'s' is not one"),
        ] {
            let error = text.parse::<Fingerprint>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("a fingerprint is SHA256: and 64 hexadecimal digits, such as SHA256:0F:1E:2D:3C:..; {why}")
            );
        }
    }
}
