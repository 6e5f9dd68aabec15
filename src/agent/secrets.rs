//! What a secret looks like: names of files, and shapes of keys and tokens. Pure.
//!
//! Built to be quiet: a false alarm keeps an agent's good work out of a commit. Shapes are those that issuers
//! made recognisable; entropy is no sign.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// Names that end like this say that the file is an example, which is meant to be shared.
const EXAMPLES: [&str; 6] = [".example", ".sample", ".template", ".dist", ".defaults", ".tmpl"];
const KEY_NAMES: [&str; 5] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ed25519_sk"];
const KEY_ENDINGS: [&str; 7] = ["pem", "key", "p12", "pfx", "jks", "keystore", "ppk"];
const WHOLE_NAMES: [&str; 6] =
    [".netrc", "_netrc", ".pgpass", ".git-credentials", ".htpasswd", ".dockerconfigjson"];
/// `credentials` with one of these endings holds them; with that of a language it is a module about them.
const DATA_ENDINGS: [&str; 10] = ["", "json", "yml", "yaml", "toml", "ini", "cfg", "csv", "txt", "xml"];

/// Whether a file of this name is one that holds secrets.
pub(crate) fn is_secret_name(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let name = name.to_string_lossy().to_ascii_lowercase();
    if EXAMPLES.iter().any(|ending| name.ends_with(ending)) {
        return false;
    }
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    let is_env = name == ".env" || name.starts_with(".env.") || name == ".envrc" || ending == "env";
    // A public key has the private one's name with `.pub`.
    let is_key = KEY_NAMES.iter().any(|key| name.starts_with(key) && ending != "pub")
        || (KEY_ENDINGS.contains(&ending) && !stem.is_empty());
    let is_credentials = ["credentials", "credential", "secrets"]
        .iter()
        .any(|word| stem.trim_start_matches('.').starts_with(word) && DATA_ENDINGS.contains(&ending));
    is_env || is_key || is_credentials || WHOLE_NAMES.contains(&name.as_str())
}

struct Shape {
    what: &'static str,
    regex: Regex,
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    [
        ("a private key", r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"),
        ("an AWS access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
        ("a GitHub token", r"\bgh[opsur]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{50,}"),
        ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
        ("an API key", r"\bsk-(?:ant|proj|svcacct|or)-[A-Za-z0-9_-]{20,}|\bsk-[A-Za-z0-9]{32,}"),
        ("a Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
        ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("a Google API key", r"\bAIza[A-Za-z0-9_-]{35}"),
        ("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ]
    .map(|(what, pattern)| Shape { what, regex: compiled(pattern) })
    .into()
});

/// In `.npmrc`: a token or password that is no reference to a variable.
static NPMRC: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?m)^[^;#\n]*(?:_authToken|_auth|_password)[ \t]*=[ \t]*[^\s$]"));

fn compiled(pattern: &str) -> Regex {
    // Bytes, not Unicode: faster, and no shape needs more than ASCII.
    Regex::new(&format!("(?-u){pattern}")).expect("a constant pattern, compiled by the tests")
}

/// The kind of a secret that `content` has and `base` has not, if there is one. `name` is the file's.
pub(crate) fn find_new(name: &OsStr, content: &[u8], base: &[u8]) -> Option<&'static str> {
    for shape in SHAPES.iter() {
        for found in shape.regex.find_iter(content) {
            // Documentation uses keys that say of themselves that they are none.
            let says_example = contains(found.as_bytes(), b"EXAMPLE");
            if !says_example && !contains(base, found.as_bytes()) {
                return Some(shape.what);
            }
        }
    }
    let is_new = |m: regex::bytes::Match<'_>| {
        let line = content[m.start()..].split(|&b| b == b'\n').next().unwrap_or_default();
        !contains(base, line)
    };
    (name == ".npmrc" && NPMRC.find_iter(content).any(is_new)).then_some("an npm registry's token")
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let secret = [
            ".env",
            "app/.env.local",
            ".env.production",
            "prod.env",
            ".envrc",
            "id_rsa",
            "id_ed25519.bak",
            "tls.KEY",
            "ca.pem",
            "credentials",
            ".aws/credentials",
            "credentials.json",
            "Credentials-prod.yml",
            ".netrc",
            "secrets.toml",
        ];
        let open = [
            ".env.example",
            "env.rs",
            "id_rsa.pub",
            "credentials.rs",
            "src/secrets.py",
            "key",
            "monkey.js",
            ".npmrc",
            "environment.ts",
            "keyboard.key.ts",
            ".key",
        ];
        for name in secret {
            assert!(is_secret_name(Path::new(name)), "{name}");
        }
        for name in open {
            assert!(!is_secret_name(Path::new(name)), "{name}");
        }
    }

    fn found(name: &str, content: &str) -> Option<&'static str> {
        find_new(OsStr::new(name), content.as_bytes(), b"")
    }

    #[test]
    fn shapes() {
        let a = |n: usize| "a1B2".repeat(n);
        let rows = [
            format!("-----BEGIN {} KEY-----", "RSA PRIVATE"),
            format!("-----BEGIN {} KEY BLOCK-----", "PGP PRIVATE"),
            format!("x = \"{}{}\"", "AKIA", "ABCDEFGH12345678"),
            format!("{}{}", "ghp_", a(9)),
            format!("{}{}", "github_pat_", a(13)),
            format!("{}{}", "glpat-", a(5)),
            format!("{}{}", "sk-ant-", a(6)),
            format!("{}{}", "sk-", a(8)),
            format!("{}{}", "sk_live_", a(4)),
            format!("{}{}", "xoxb-", a(3)),
            format!("{}{}xyz", "AIza", a(8)),
            format!("{}{}", "npm_", a(9)),
        ];
        let all: Vec<_> = rows.iter().map(|row| found("x.rs", row).unwrap_or("nothing")).collect();
        insta::assert_snapshot!(all.join("\n"), @"
        a private key
        a private key
        an AWS access key
        a GitHub token
        a GitHub token
        a GitLab token
        an API key
        an API key
        a Stripe key
        a Slack token
        a Google API key
        an npm token
        ");
    }

    #[test]
    fn what_only_looks_a_little_like_one() {
        let example = format!("{}{}", "AKIA", "IOSFODNN7EXAMPLE");
        for text in [
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            ".sk-loading-indicator-animation",
            "task-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "ghp_short",
            &example,
            "xoxb",
        ] {
            assert_eq!(found("x", text), None, "{text}");
        }
    }

    #[test]
    fn npmrc_may_refer_to_a_variable() {
        assert_eq!(found(".npmrc", "//r/:_authToken=${TOKEN}\nregistry=x"), None);
        assert_eq!(found(".npmrc", "# _authToken=abc"), None);
        assert_eq!(found(".npmrc", "//r/:_authToken=abc"), Some("an npm registry's token"));
        assert_eq!(found("x.md", "//r/:_authToken=abc"), None);
    }

    #[test]
    fn one_new_among_old_ones_is_found() {
        let (old, new) = (format!("{}{}", "ghp_", "a".repeat(36)), format!("{}{}", "ghp_", "b".repeat(36)));
        let both = format!("{old} {new}");
        let find = |content: &str, base: &str| find_new(OsStr::new("x"), content.as_bytes(), base.as_bytes());
        assert_eq!(find(&old, &old), None);
        assert_eq!(find(&both, &old), Some("a GitHub token"));
    }
}
