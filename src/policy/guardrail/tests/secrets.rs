//! Rules about secrets. What looks like one is put together here, so that no scanner of pushes takes it for real.

use super::table::{add, edit, hit_by, rules, table};
use crate::policy::guardrail::{Exceptions, check};

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const HEX: &str = "0123456789abcdef";
const WORD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `length` characters of `alphabet`, always the same ones, in no order.
fn random(alphabet: &str, length: usize, mut seed: u32) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        letters[usize::try_from(seed >> 16).unwrap() % letters.len()]
    };
    (0..length).map(|_| next()).collect()
}

fn word(length: usize) -> String {
    random(WORD, length, 7)
}

fn hex(length: usize) -> String {
    random(HEX, length, 7)
}

fn found(path: &str, line: &str) -> String {
    hit_by(&[edit(path, line, "")]).join(" ")
}

#[test]
fn tokens_are_known_by_their_shape() {
    let key_id = format!("{}{}", "AKIA", random("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16, 3));
    let rows = [
        ("aws-key-id", key_id),
        ("github", format!("{}{}", "ghp_", word(36))),
        ("github", format!("{}{}", "github_pat_", word(82))),
        ("gitlab", format!("{}{}", "glpat-", word(20))),
        ("slack", format!("{}{}-{}", "xoxb-", random("0123456789", 12, 3), word(24))),
        ("slack", format!("{}T0{}/B0{}/{}", "https://hooks.slack.com/services/", word(8), word(8), word(24))),
        ("stripe", format!("{}{}", "sk_live_", word(24))),
        ("google", format!("{}{}", "AIza", word(35))),
        ("ai", format!("{}{}-{}", "sk-ant-api03", "", word(93))),
        ("ai", format!("{}{}{}{}", "sk-proj-", word(40), "T3BlbkFJ", word(40))),
        ("packages", format!("{}{}", "npm_", word(36))),
        ("mail", format!("{}{}.{}", "SG.", word(22), word(43))),
        ("mail", format!("{}{}", "SK", hex(32))),
        ("cloud", format!("{}{}", "dop_v1_", hex(64))),
        ("cloud", format!("{}{}", "hvs.", word(90))),
        ("chat-hook", format!("{}{}/{}", "https://discord.com/api/webhooks/", "9".repeat(18), word(68))),
        ("jwt", format!("{}{}.{}{}.{}", "eyJ", word(17), "eyJ", word(30), word(43))),
    ];
    for (rule, token) in rows {
        let id = format!("secret.{rule}");
        for line in [format!("x = \"{token}\""), format!("TOKEN={token}"), format!("curl -H 'X: {token}' y")]
        {
            assert_eq!(found("deploy/a.sh", &line), id, "{line}");
        }
        assert_eq!(found("a.sh", &format!("run {}", &token[..8])), "", "the beginning of {token}");
    }
}

#[test]
fn what_only_stands_where_a_token_would_is_none() {
    let zeros = "0".repeat(36);
    table(&[
        ("", "a.sh", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE"),
        ("", "a.sh", &format!("TOKEN={}{zeros}", "ghp_")),
        ("", "a.sh", &format!("TOKEN={}{}", "ghp_", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
        ("", "a.sh", &format!("key={}{}", "sk_test_", word(24))),
        ("", "a.py", "prefixes = ('ghp_', 'gho_', 'AKIA')"),
        ("", "a.rs", "let pattern = \"ghp_[A-Za-z0-9]{36}\";"),
    ]);
}

#[test]
fn private_keys_need_a_key() {
    let begin = format!("-----BEGIN {}PRIVATE KEY-----", "RSA ");
    let body = word(64);
    let rule = "secret.private-key";
    assert_eq!(found("a.pem", &format!("{begin}\n{body}\n{body}")), rule);
    assert_eq!(found("a.py", &format!("key = \"\"\"{begin}\n{body}")), rule);
    assert_eq!(found("a.json", &format!("{{\"k\": \"{begin}\\n{body}\\n\"}}")), rule);
    assert_eq!(found("a.py", &format!("if text.startswith('{begin}'):\n    return True")), "");
    assert_eq!(found("a.md", &format!("A key begins with `{begin}`.")), "");
    let one = format!("{{\"k\": \"{begin}\\n{body}\\n\"}}");
    let checked = check(rules(), &[edit("a.json", &one, "")], Exceptions::Nobody);
    assert!(!checked.hits[0].message.contains(&body[4..20]), "{}", checked.hits[0].message);
}

#[test]
fn assigned_keys_are_known_by_their_entropy() {
    let (key, rule) = (word(32), "secret.assigned");
    for line in [
        format!("const apiKey = \"{key}\";"),
        format!("API_KEY: '{key}'"),
        format!("\"client_secret\": \"{key}\","),
        format!("let token: &str = \"{key}\";"),
        format!("config['secret-key'] = '{key}'"),
        format!("auth_token => \"{key}\""),
        format!("SECRET_KEY = \"{}\"", hex(64)),
    ] {
        assert_eq!(found("src/a.ts", &line), rule, "{line}");
    }
    for line in [
        format!("const id = \"{key}\";"),
        format!("const rev = \"{}\";", hex(40)),
        format!("\"integrity\": \"sha512-{}==\"", word(86)),
        "token = \"user_access_token_from_login\"".to_owned(),
        "token: 'Nutzerzugangstoken'".to_owned(),
        "const secretKey = process.env.SECRET_KEY;".to_owned(),
        "api_key = \"${API_KEY_FROM_THE_VAULT}\"".to_owned(),
        "api_key = \"your-api-key-goes-here-9\"".to_owned(),
        "apiKey: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa1'".to_owned(),
        "const TOKEN = 'auth.token.refresh_requested';".to_owned(),
        "token = \"0b1fd2c6-3a52-4c1b-9a63-6f0d8d7a4c11\"".to_owned(),
        "secretKeyRef: 'name-of-the-secret-2'".to_owned(),
        format!("public_key = \"{key}\""),
        format!("cache_key = \"{key}\""),
    ] {
        assert_eq!(found("src/a.ts", &line), "", "{line}");
    }
    assert_eq!(found("tests/a.ts", &format!("const apiKey = \"{key}\";")), "", "tests make theirs up");
    let github = format!("{}{}", "ghp_", word(36));
    assert_eq!(
        found("src/a.ts", &format!("token = \"{github}\"")),
        "secret.github",
        "one hit, the exact one"
    );
}

#[test]
fn passwords() {
    let rule = "secret.password";
    table(&[
        (rule, "src/a.py", "password = \"Tr0ub4dor&3\""),
        (rule, "config/a.yml", "db_password: 'k9$Lm2!vQ'"),
        (rule, "src/a.py", "conn['passwd'] = 'Zx81qwPo'"),
        ("", "src/a.py", "password = \"changeme1\""),
        ("", "src/a.py", "password = \"${DB_PASSWORD_1}\""),
        ("", "src/a.py", "password = os.environ['PASSWORD_1']"),
        ("", "src/a.ts", "password: 'Passwort vergessen?'"),
        ("", "src/a.ts", "password: 'form.password.label2'"),
        ("", "src/a.ts", "password: 'mypassword'"),
        ("", "src/a.ts", "const password = `<input 1>`"),
        ("", "docs/a.md", "password = \"Tr0ub4dor&3\""),
        ("", "src/a.test.ts", "password = \"Tr0ub4dor&3\""),
    ]);
}

#[test]
fn passwords_in_addresses() {
    let url = |password: &str, host: &str| format!("url = {}://app:{password}@{host}/x", "postgres");
    assert_eq!(found("src/a.py", &url("k9xLm2vQ", "db.prod.internal")), "secret.url");
    for (password, host) in [
        ("k9xLm2vQ", "localhost:5432"),
        ("k9xLm2vQ", "db"),
        ("k9xLm2vQ", "db.example.com"),
        ("password", "db.prod.internal"),
        ("${PASSWORD}", "db.prod.internal"),
        ("<password>", "db.prod.internal"),
    ] {
        assert_eq!(found("src/a.py", &url(password, host)), "", "{password} {host}");
    }
    assert_eq!(found("src/a.py", "see https://a.org:8080/x@y and git@github.com:a/b.git"), "");
}

#[test]
fn hashes_and_data_are_no_secrets() {
    let (sha1, sha256) = (hex(40), hex(64));
    let base64 = word(4000);
    table(&[
        ("", "Cargo.lock", &format!("checksum = \"{sha256}\"")),
        (
            "",
            "package-lock.json",
            &format!("\"integrity\": \"sha512-{}==\", \"token\": \"{}\"", word(86), word(40)),
        ),
        ("", "web/pnpm-lock.yaml", &format!("api_key: '{}'", word(40))),
        ("", "a.ts", &format!("const logo = \"data:image/png;base64,{base64}\";")),
        ("", "a.svg", &format!("<image href=\"data:image/png;base64,{base64}\"/>")),
        ("", "app.min.js", &format!("var token=\"{}\"", word(40))),
        ("", "a.json", "{\"id\": \"0b1fd2c6-3a52-4c1b-9a63-6f0d8d7a4c11\"}"),
        ("", "a.yml", &format!("uses: actions/checkout@{sha1}")),
        ("", "a.rs", &format!("const EXPECTED: &str = \"{sha256}\";")),
        ("", "go.sum", &format!("example.com/a v1.0.0 h1:{}=", word(43))),
        ("", "Dockerfile", &format!("FROM a@sha256:{sha256}")),
        ("", "a.txt", &format!("{UPPER}{UPPER}")),
    ]);
}

#[test]
fn a_secret_is_in_no_message_and_no_fingerprint() {
    let token = format!("{}{}", "ghp_", word(36));
    let other = format!("{}{}", "ghp_", random(WORD, 36, 99));
    let rules = rules();
    let line = |token: &str| format!("fetch('{token}', '{token}') // eslint-disable-line");
    let checked = check(rules, &[add("src/a.js", &line(&token))], Exceptions::Nobody);
    let shown: Vec<&str> = checked.hits.iter().map(|f| f.message.as_str()).collect();
    let redacted = "fetch('ghp_…(40)', 'ghp_…(40)') // eslint-disable-line";
    assert_eq!(
        shown,
        [format!("a linter is silenced: `{redacted}`"), format!("a token of GitHub: `{redacted}`")]
    );
    let prints = |token: &str| {
        let checked = check(rules, &[add("src/a.js", &line(token))], Exceptions::Nobody);
        checked.hits.into_iter().map(|f| f.fingerprint).collect::<Vec<_>>()
    };
    assert_eq!(prints(&token), prints(&other), "nothing about the token can be told from it");
    // One that takes another's place is new all the same.
    let swapped = edit("src/a.js", &line(&other), &line(&token));
    assert!(hit_by(&[swapped]).contains(&"secret.github".to_owned()));
}
