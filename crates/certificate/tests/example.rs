//! The example of docs/certificates.md is a statement that is signed and verified.

use lastuse_certificate::{PREDICATE_TYPE, STATEMENT_TYPE, SigningKey, Statement, sign, verify};
use serde_json::Value;

#[test]
fn the_example_of_the_papers_is_what_is_signed() {
    let page = include_str!("../../../docs/certificates.md");
    let (_, rest) = page.split_once("```json\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let example: Value = serde_json::from_str(example).expect("JSON");
    assert_eq!(example["_type"], STATEMENT_TYPE);
    assert_eq!(example["predicateType"], PREDICATE_TYPE);
    let shown: Statement = serde_json::from_value(example.clone()).expect("a statement");
    let made = Statement::non_use(shown.subject.clone(), example["predicate"].clone());
    assert_eq!(made.as_ref(), Ok(&shown));
    let (key, _) = SigningKey::generate().expect("a key");
    let certificate = sign(&shown, &key).expect("signs");
    let verified = verify(certificate.as_bytes(), &[key.public()]).expect("genuine");
    assert_eq!(serde_json::to_value(&verified.statement).expect("JSON"), example);
}
