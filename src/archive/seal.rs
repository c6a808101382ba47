//! Encryption with age: one key for the files of a backup, and that key for its recipients or passphrase.

use std::fmt;
use std::io::{Read, Write};
use std::iter::once;
use std::path::Path;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::{DecryptError, Decryptor, EncryptError, Encryptor, scrypt, x25519};

use super::manifest::Encryption;
use crate::base::secret::Secret;
use crate::engine::backup::Seal;
use crate::engine::failure::{Failure, FailureKind};

/// The file of an encrypted backup that has the key of its files.
pub const FILE: &str = "key.age";

/// How much work a passphrase may ask for: 2 to the power of this, in scrypt's measure, which is 4 GiB of memory.
/// A damaged file could ask for hours.
const MOST_WORK: u8 = 22;

/// The key of one backup's files: with it they are written, read back and opened. Cheap to clone.
#[derive(Clone)]
pub struct FileKey(x25519::Identity);

/// What a person opens a backup with.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Texts of private keys of age, `AGE-SECRET-KEY-1…`, as `age-keygen` writes them: one or several lines each,
    /// comments included.
    pub identities: Vec<Secret>,
    /// The passphrase.
    pub passphrase: Option<Secret>,
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

impl FileKey {
    /// Makes a key for a new backup, and returns it with the content of `key.age`.
    ///
    /// # Errors
    /// A recipient is no public key of age.
    pub fn new(seal: &Seal) -> Result<(Self, Vec<u8>), Failure> {
        let key = x25519::Identity::generate();
        let encryptor = match seal {
            Seal::Recipients(recipients) => for_recipients(recipients)?,
            Seal::Passphrase(passphrase) if passphrase.is_empty() => {
                return Err(refused("the passphrase of the backup is empty"));
            }
            Seal::Passphrase(passphrase) => Encryptor::with_user_passphrase(secret(passphrase)),
        };
        let mut sealed = Vec::new();
        let written = encryptor.wrap_output(&mut sealed).and_then(|mut writer| {
            writer.write_all(key.to_string().expose_secret().as_bytes())?;
            writer.finish()
        });
        written.map_err(|error| refused(&format!("cannot encrypt the backup's key: {error}")))?;
        Ok((Self(key), sealed))
    }

    /// Opens the key of a backup from the content of its `key.age`.
    ///
    /// # Errors
    /// None of the keys is one for it, or the passphrase is wrong.
    pub fn open(folder: &Path, sealed: &[u8], keys: &Keys) -> Result<Self, Failure> {
        let damaged = |why: &dyn fmt::Display| super::damaged(folder, format!("{FILE} {why}"));
        let decryptor =
            Decryptor::new_buffered(sealed).map_err(|error| damaged(&in_words(&error)))?;
        let by_passphrase = decryptor.is_scrypt();
        let opened = if by_passphrase {
            let passphrase = keys.passphrase.as_ref();
            let passphrase = passphrase.ok_or_else(|| needs_passphrase(folder))?;
            let mut identity = scrypt::Identity::new(secret(passphrase));
            identity.set_max_work_factor(MOST_WORK);
            decryptor.decrypt(once(&identity as &dyn age::Identity))
        } else {
            let identities = identities(&keys.identities)?;
            if identities.is_empty() {
                return Err(needs_identity(folder));
            }
            decryptor.decrypt(
                identities
                    .iter()
                    .map(|identity| identity as &dyn age::Identity),
            )
        };
        let mut reader = opened.map_err(|error| match error {
            DecryptError::DecryptionFailed | DecryptError::NoMatchingKeys => {
                wrong(folder, by_passphrase)
            }
            other => damaged(&in_words(&other)),
        })?;
        let mut text = String::new();
        let read = reader.read_to_string(&mut text);
        read.map_err(|_| damaged(&"was altered or cut off"))?;
        let key = text.trim().parse().map(Self);
        key.map_err(|_: &str| damaged(&"holds no key"))
    }

    /// Returns a writer that encrypts; it must be finished.
    ///
    /// # Errors
    /// The beginning could not be written.
    pub fn encrypt<W: Write>(&self, to: W) -> std::io::Result<age::stream::StreamWriter<W>> {
        let public = self.0.to_public();
        let encryptor = Encryptor::with_recipients(once(&public as &dyn age::Recipient));
        encryptor.map_err(std::io::Error::other)?.wrap_output(to)
    }

    /// Returns a reader that decrypts, and finds what was altered or cut off.
    ///
    /// # Errors
    /// It is not encrypted for this key.
    pub fn decrypt<R: Read>(&self, from: R) -> std::io::Result<age::stream::StreamReader<R>> {
        let opened = Decryptor::new(from)
            .and_then(|decryptor| decryptor.decrypt(once(&self.0 as &dyn age::Identity)));
        opened.map_err(|error| match error {
            DecryptError::Io(error) => error,
            other => std::io::Error::new(std::io::ErrorKind::InvalidData, in_words(&other)),
        })
    }
}

impl From<&Seal> for Encryption {
    /// Returns how it is encrypted, without what opens it.
    fn from(seal: &Seal) -> Self {
        match seal {
            Seal::Recipients(recipients) => Self::Recipients(recipients.clone()),
            Seal::Passphrase(_) => Self::Passphrase,
        }
    }
}

fn for_recipients(recipients: &[String]) -> Result<Encryptor, Failure> {
    let parsed: Result<Vec<x25519::Recipient>, Failure> = recipients
        .iter()
        .map(|recipient| {
            recipient
                .trim()
                .parse()
                .map_err(|_: &str| no_recipient(recipient))
        })
        .collect();
    let parsed = parsed?;
    let each = parsed
        .iter()
        .map(|recipient| recipient as &dyn age::Recipient);
    Encryptor::with_recipients(each).map_err(|error| match error {
        EncryptError::MissingRecipients => {
            refused("the backup is encrypted for nobody: no recipient is named")
        }
        other => refused(&format!("cannot encrypt the backup's key: {other}")),
    })
}

fn no_recipient(recipient: &str) -> Failure {
    // Who gave the private key instead must not find it in a log.
    let shown = match recipient.trim() {
        text if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") => "a private key",
        text => &format!("{text:?}"),
    };
    refused(&format!("{shown} is no public key of age")).help(
        "a recipient is what `age-keygen -y KEYFILE` prints: `age1` and 58 letters and digits",
    )
}

/// Reads private keys, with comments and empty lines between them.
fn identities(texts: &[Secret]) -> Result<Vec<x25519::Identity>, Failure> {
    let lines = texts
        .iter()
        .flat_map(|text| text.reveal().lines().enumerate());
    let keys = lines
        .map(|(at, line)| (at, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    keys.map(|(at, line)| {
        line.parse().map_err(|_: &str| {
            refused(&format!("line {} of the identity is no private key of age", at + 1))
                .help("an identity is what `age-keygen` writes: `AGE-SECRET-KEY-1` and 58 letters and digits")
        })
    })
    .collect()
}

fn secret(text: &Secret) -> SecretString {
    SecretString::from(text.reveal().to_owned())
}

fn in_words(error: &DecryptError) -> String {
    match error {
        DecryptError::DecryptionFailed | DecryptError::NoMatchingKeys => "is for another key",
        DecryptError::ExcessiveWork { .. } => "asks for more work than any passphrase needs",
        DecryptError::UnknownFormat => "has a format that this version cannot read",
        DecryptError::Io(_) => "was cut off",
        _ => "was altered",
    }
    .to_owned()
}

fn refused(message: &str) -> Failure {
    Failure::new(FailureKind::Backup, message)
}

fn needs_passphrase(folder: &Path) -> Failure {
    refused(&format!(
        "the backup in {} is encrypted by a passphrase, and none is given",
        folder.display()
    ))
    .help("give its passphrase")
}

fn needs_identity(folder: &Path) -> Failure {
    refused(&format!(
        "the backup in {} is encrypted, and no private key is given",
        folder.display()
    ))
    .help("name the file of a private key of one of its recipients: `--identity FILE`")
}

fn wrong(folder: &Path, by_passphrase: bool) -> Failure {
    let folder = folder.display();
    if by_passphrase {
        refused(&format!(
            "the passphrase is not the one that the backup in {folder} is encrypted by"
        ))
        .help("give the passphrase that it was made with: nothing else opens it")
    } else {
        refused(&format!(
            "the backup in {folder} is not encrypted for any of the private keys that are given"
        ))
        .help("name the file of a private key of one of its recipients: its manifest lists them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(identities: &[&str], passphrase: Option<&str>) -> Keys {
        Keys {
            identities: identities.iter().map(|text| Secret::new(*text)).collect(),
            passphrase: passphrase.map(Secret::new),
        }
    }

    fn person() -> (String, String) {
        let identity = x25519::Identity::generate();
        let private = identity.to_string().expose_secret().to_owned();
        (private, identity.to_public().to_string())
    }

    fn open(sealed: &[u8], keys: &Keys) -> Result<FileKey, Failure> {
        FileKey::open(Path::new("b"), sealed, keys)
    }

    fn message(sealed: &[u8], keys: &Keys) -> String {
        open(sealed, keys).unwrap_err().message
    }

    #[test]
    fn each_recipient_opens_it_and_nobody_else() {
        let people = [person(), person(), person()];
        let recipients = people[..2]
            .iter()
            .map(|(_, public)| public.clone())
            .collect();
        let (key, sealed) = FileKey::new(&Seal::Recipients(recipients)).unwrap();
        for (private, _) in &people[..2] {
            let opened = open(&sealed, &keys(&[&people[2].0, private], None)).unwrap();
            assert_eq!(
                opened.0.to_public().to_string(),
                key.0.to_public().to_string()
            );
        }
        assert_eq!(
            message(&sealed, &keys(&[&people[2].0], None)),
            "the backup in b is not encrypted for any of the private keys that are given"
        );
        assert_eq!(
            message(&sealed, &keys(&[], Some("secret"))),
            "the backup in b is encrypted, and no private key is given"
        );
    }

    #[test]
    fn a_file_of_age_keygen_reads_with_its_comments() {
        let (private, public) = person();
        let (_, sealed) = FileKey::new(&Seal::Recipients(vec![public.clone()])).unwrap();
        let file = format!(
            "# created: 2026-11-21T08:15:02Z\r\n# public key: {public}\r\n\r\n{private}\r\n"
        );
        assert!(open(&sealed, &keys(&[&file], None)).is_ok());
        let wrong = message(&sealed, &keys(&[&format!("# mine\n{private}X\n")], None));
        assert_eq!(wrong, "line 2 of the identity is no private key of age");
    }

    #[test]
    fn a_passphrase_opens_it_and_another_does_not() {
        let (_, sealed) = FileKey::new(&Seal::Passphrase(Secret::new("correct horse"))).unwrap();
        assert!(open(&sealed, &keys(&[], Some("correct horse"))).is_ok());
        assert_eq!(
            message(&sealed, &keys(&[], Some("wrong"))),
            "the passphrase is not the one that the backup in b is encrypted by"
        );
        assert_eq!(
            message(&sealed, &keys(&[&person().0], None)),
            "the backup in b is encrypted by a passphrase, and none is given"
        );
    }

    #[test]
    fn what_is_no_recipient_is_refused() {
        let refused = |recipients: &[&str]| {
            let recipients = recipients.iter().map(|text| (*text).to_owned()).collect();
            FileKey::new(&Seal::Recipients(recipients))
                .unwrap_err()
                .message
        };
        assert_eq!(
            refused(&["age1nobody"]),
            "\"age1nobody\" is no public key of age"
        );
        assert_eq!(
            refused(&[]),
            "the backup is encrypted for nobody: no recipient is named"
        );
        let (private, public) = person();
        let told = refused(&[&public, &private]);
        assert_eq!(told, "a private key is no public key of age");
        assert!(FileKey::new(&Seal::Passphrase(Secret::new(""))).is_err());
    }

    #[test]
    fn case_44_a_flipped_bit_of_the_key_is_found() {
        let (private, public) = person();
        let (_, sealed) = FileKey::new(&Seal::Recipients(vec![public])).unwrap();
        let keys = keys(&[&private], None);
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(open(&flipped, &keys).is_err(), "byte {at}");
            assert!(open(&sealed[..at], &keys).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_key_is_never_shown() {
        let (private, public) = person();
        let (key, _) = FileKey::new(&Seal::Recipients(vec![public])).unwrap();
        let shown = format!("{key:?} {:?}", keys(&[&private], Some("secret")));
        assert!(
            !shown.contains("SECRET") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
