//! Proofs about headers, queries and statuses.

use data_encoding::BASE64;
use proptest::prelude::*;

use super::*;

fn parts(header: &str) -> Option<(&'static str, String, Option<String>)> {
    authorization(header).map(|it| {
        let user = it.user.as_deref().map(str::to_owned);
        (it.kind, it.value.to_string(), user)
    })
}

fn secret_of(header: &str) -> Option<String> {
    parts(header).map(|it| it.1)
}

#[test]
fn a_bearer_token_is_a_raw_secret() {
    for header in [
        "Bearer made-up-1",
        "bearer  made-up-1",
        "token made-up-1",
        "SSWS made-up-1",
        "ApiKey made-up-1",
        "Token token=\"made-up-1\", email=\"a@b\"",
        "made-up-1",
        " Bearer \"made-up-1\" ",
    ] {
        let expected = Some((SECRET_VALUE, "made-up-1".to_owned(), None));
        assert_eq!(parts(header), expected, "{header}");
    }
}

#[test]
fn basic_gives_password_and_user() {
    let header = format!("Basic {}", BASE64.encode(b"deploy:made:up"));
    let expected = (SECRET_VALUE, "made:up".to_owned(), Some("deploy".to_owned()));
    assert_eq!(parts(&header), Some(expected));
    let header = header.trim_end_matches('=').replace("Basic", "basic");
    assert_eq!(secret_of(&header).as_deref(), Some("made:up"));
}

#[test]
fn a_key_in_place_of_the_user_is_the_secret() {
    for text in ["sk_test_madeup:", "sk_test_madeup:x-oauth-basic", "sk_test_madeup"] {
        let header = format!("Basic {}", BASE64.encode(text.as_bytes()));
        let expected = Some((SECRET_VALUE, "sk_test_madeup".to_owned(), None));
        assert_eq!(parts(&header), expected, "{text}");
    }
}

#[test]
fn a_password_that_is_none_leaves_the_user_name_as_the_secret() {
    for dummy in ["", "x", "X", "-", "api_token", "unused", "UNUSED", "apikey", "null", "***"] {
        let text = format!("Ab3dEf6hIj9kLm2nOp5qRs8t:{dummy}");
        let header = format!("Basic {}", BASE64.encode(text.as_bytes()));
        let expected = Some((SECRET_VALUE, "Ab3dEf6hIj9kLm2nOp5qRs8t".to_owned(), None));
        assert_eq!(parts(&header), expected, "{dummy}");
    }
    let header = format!("Basic {}", BASE64.encode(b":x"));
    assert_eq!(secret_of(&header).as_deref(), Some("x"));
}

#[test]
fn a_user_name_that_chance_made_is_a_secret() {
    for name in [
        "Ab3dEf6hIj9kLm2nOp5qRs8t",
        "1971800d4d82861d8f2c1651fea4d212",
        "hTq-9Zx_2mVb7LkQw4Rp",
        "AC1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d6c",
        "qWeRtYxAsDfGhZxCvBnM",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in [
        "",
        "deploy",
        "svc-backup-2024-prod-eu",
        "ServiceAccountBackupProduction",
        "monitoring-exporter-eu-central-1",
        "first.last2024.longname@example.com",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "AKIA2222MADEUP333344",
        "5f7c8ec7c33c6c004bbafe82",
        "12345678901234567890123",
        "CN=checkout,O=Example",
    ] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn a_signed_request_names_its_access_key() {
    for header in [
        "AWS4-HMAC-SHA256 Credential=AKIA2222MADEUP333344/20260102/us-east-1/s3/aws4_request, \
         SignedHeaders=host, Signature=00ff",
        "AWS AKIA2222MADEUP333344:c2lnbmF0dXJl",
    ] {
        let expected = (AWS_ACCESS_KEY_ID, "AKIA2222MADEUP333344".to_owned(), None);
        assert_eq!(parts(header), Some(expected));
    }
}

#[test]
fn a_header_without_credential_is_none() {
    for header in [
        "",
        "-",
        "Bearer",
        "Bearer -",
        "Bearer ",
        "Basic ****",
        "[REDACTED]",
        "Bearer null",
        "Bearer undefined",
        "Digest username=\"a\", response=\"b\"",
        "Negotiate YIIabc",
        "AWS4-HMAC-SHA256 SignedHeaders=host",
    ] {
        assert_eq!(parts(header), None, "{header}");
    }
}

#[test]
fn a_secret_never_shows_in_debug() {
    let header = format!("Basic {}", BASE64.encode(b"deploy:made-up-1"));
    let shown = format!("{:?}", authorization(&header));
    assert!(shown.contains("****") && !shown.contains("made-up-1"), "{shown}");
}

#[test]
fn a_query_parameter_is_decoded_and_the_first_one_wins() {
    for (url, expected) in [
        ("https://a.example/p?x=1&key=a%2Bb%20c", Some("a+b c")),
        ("/p?key=1&key=2", Some("1")),
        ("/p?monkey=1&key=2", Some("2")),
        ("/p?k%65y=a+b", Some("a b")),
        ("key=1&x=2", Some("1")),
        ("/p?key=", Some("")),
        ("/p?key", None),
        ("/p#key=1", None),
        ("/p?x=1#&key=1", None),
        ("/key=1", None),
        ("/p?Key=1", None),
        ("", None),
    ] {
        assert_eq!(query_parameter(url, "key").as_deref(), expected, "{url}");
    }
}

#[test]
fn every_secret_in_a_query_is_found() {
    let key = "lastuse-made-up-key-1";
    for query in [
        "private_token=K",
        "api_key=&key=K",
        "token=null&api_key=K",
        "api_key=****&api_key=K",
        "api-key=K",
        "apiKey=K",
        "API_KEY=K",
        "X-Api-Key=K",
        "auth_token=K",
        "code=K",
        "subscription-key=K",
        "client_secret=K",
        "x=1;api_key=K",
        "x=1&amp;api_key=K;y=2",
        "api%5Fkey=K&key=K",
        "a;b=1;c&key=K",
        "key=K&next=https://h/?a=b",
    ] {
        let url = format!("/a?{}", query.replace("=K", &format!("={key}")));
        for text in [&*url, &url[3..]] {
            let found = query_secrets(text);
            assert_eq!(found.iter().map(|it| &**it).collect::<Vec<_>>(), [key], "{text}");
        }
    }
    let found = query_secrets("https://h/a?api_key=a&x=1&key=b%2B&token=c;d&key=a#key=e");
    let found: Vec<&str> = found.iter().map(|it| &**it).collect();
    assert_eq!(found, ["a", "b+", "c;d"]);
}

#[test]
fn what_is_no_lasting_secret_in_a_query_is_left_out() {
    for url in [
        "",
        "/key=1",
        "/a?monkey=1&page_token=2&sig=3&X-Amz-Signature=4",
        "/callback?code=0123456789abcdef0123456789&state=1",
        "/shop?code=SPRING24",
        "/a?key",
        "/a#key=1",
    ] {
        assert_eq!(query_secrets(url), [], "{url}");
    }
}

#[test]
fn a_status_tells_what_became_of_the_credential() {
    for (status, expected, class) in [
        ("200", Outcome::Success, None),
        ("101", Outcome::Success, None),
        ("304", Outcome::Success, None),
        ("401", Outcome::Rejected, Some("wrong_credential")),
        ("407", Outcome::Rejected, Some("wrong_credential")),
        ("403", Outcome::Denied, Some("not_allowed")),
        ("429", Outcome::Success, Some("throttled")),
        ("404", Outcome::Success, Some("request")),
        ("499", Outcome::Success, Some("request")),
        ("502", Outcome::Error, Some("backend_fault")),
    ] {
        assert_eq!(outcome(Some(status)), expected, "{status}");
        assert_eq!(reason_class(status), class, "{status}");
    }
}

#[test]
fn what_is_no_status_of_an_answer_is_unknown() {
    for status in ["0", "000", "-1", "-", "", "100", "600", "4010", "40", "4xx", "+40", "４０１"]
    {
        assert_eq!(outcome(Some(status)), Outcome::Unknown, "{status}");
        assert_eq!(reason_class(status), None, "{status}");
    }
    assert_eq!(outcome(None), Outcome::Unknown);
}

proptest! {
    #[test]
    fn no_header_or_url_makes_reading_panic(text: String, name: String) {
        let _ = authorization(&text);
        let _ = authorization(&format!("Basic {text}"));
        let _ = query_parameter(&text, &name);
        let _ = query_parameter(&format!("/?{text}"), &name);
        let _ = query_secrets(&format!("/?{name}={text};key={text}"));
    }

    #[test]
    fn every_basic_password_comes_back(user in "[^:]{1,20}", password in "[!-~]{4,30}") {
        prop_assume!(!is_no_password(&password));
        let header = format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()));
        let found = authorization(&header).unwrap();
        prop_assert_eq!(&*found.value, password.as_str());
        prop_assert_eq!(found.user.as_deref(), Some(user.as_str()));
    }
}
