//! The functions that a source's SQL may call beside the engine's own: times
//! as logs write them, and what HTTP says. Thin wrappers; the meaning is in
//! `lastuse-model`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use lastuse_model::{http, time};

/// All of them, to be registered with the engine that plans a source's SQL.
pub fn all() -> Vec<ScalarUDF> {
    let header = |name: &str, pick: fn(http::Authorization<'_>) -> Option<String>| {
        udf(name, 1, DataType::Utf8View, move |arguments| {
            Ok(texts(&arguments[0], |it| http::authorization(it).and_then(pick)))
        })
    };
    vec![
        udf("parse_time", 1, instant(), |arguments| {
            Ok(instants(&arguments[0], |_, it| time::parse_time(it)))
        }),
        udf("syslog_time", 2, instant(), |arguments| {
            let references = arguments[1].as_string_view();
            Ok(instants(&arguments[0], |row, it| {
                let reference = references.is_valid(row).then(|| references.value(row));
                time::parse_syslog_time(it, reference.and_then(time::parse_time)?)
            }))
        }),
        header("authorization_kind", |it| Some(it.kind.to_string())),
        header("authorization_value", |it| Some(it.value.to_string())),
        header("authorization_user", |it| it.user.map(String::from).filter(|it| is_name(it))),
        header("authorization_user_secret", |it| {
            it.user.map(String::from).filter(|it| http::is_secret_name(it))
        }),
        udf("user_name", 1, DataType::Utf8View, |arguments| {
            Ok(texts(&arguments[0], |it| is_name(it).then(|| it.to_owned())))
        }),
        udf("user_secret", 1, DataType::Utf8View, |arguments| {
            Ok(texts(&arguments[0], |it| http::is_secret_name(it).then(|| it.to_owned())))
        }),
        udf("query_parameter", 2, DataType::Utf8View, |arguments| {
            let names = arguments[1].as_string_view();
            let urls = arguments[0].as_string_view();
            let mut out = StringViewBuilder::with_capacity(urls.len());
            for row in 0..urls.len() {
                let found = (urls.is_valid(row) && names.is_valid(row))
                    .then(|| http::query_parameter(urls.value(row), names.value(row)))
                    .flatten();
                out.append_option(found);
            }
            Ok(Arc::new(out.finish()))
        }),
        udf("query_secret", 2, DataType::Utf8View, |arguments| {
            let places = arguments[1].as_string_view();
            let urls = arguments[0].as_string_view();
            let mut out = StringViewBuilder::with_capacity(urls.len());
            for row in 0..urls.len() {
                let place = (urls.is_valid(row) && places.is_valid(row))
                    .then(|| places.value(row).parse::<usize>().ok()?.checked_sub(1))
                    .flatten();
                let secrets = place.map(|_| http::query_secrets(urls.value(row)));
                let found = place.zip(secrets.as_ref()).and_then(|(at, them)| them.get(at));
                out.append_option(found.map(|it| &**it));
            }
            Ok(Arc::new(out.finish()))
        }),
        udf("http_outcome", 1, DataType::Utf8View, |arguments| {
            let statuses: &StringViewArray = arguments[0].as_string_view();
            let words = statuses.iter().map(|it| Some(http::outcome(it).as_str()));
            Ok(Arc::new(words.collect::<StringViewArray>()))
        }),
        udf("http_reason_class", 1, DataType::Utf8View, |arguments| {
            let statuses: &StringViewArray = arguments[0].as_string_view();
            let words = statuses.iter().map(|it| it.and_then(http::reason_class));
            Ok(Arc::new(words.collect::<StringViewArray>()))
        }),
    ]
}

fn is_name(user: &str) -> bool {
    !http::is_secret_name(user)
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

type Body = dyn Fn(&[ArrayRef]) -> Result<ArrayRef, DataFusionError> + Send + Sync;

fn udf(
    name: &str,
    arguments: usize,
    returns: DataType,
    body: impl Fn(&[ArrayRef]) -> Result<ArrayRef, DataFusionError> + Send + Sync + 'static,
) -> ScalarUDF {
    let body: Arc<Body> = Arc::new(body);
    let call = move |values: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(values)?;
        Ok(ColumnarValue::Array(body(&arrays)?))
    };
    create_udf(
        name,
        vec![DataType::Utf8View; arguments],
        returns,
        Volatility::Immutable,
        Arc::new(call),
    )
}

fn texts(array: &ArrayRef, f: impl Fn(&str) -> Option<String>) -> ArrayRef {
    let array: &StringViewArray = array.as_string_view();
    let mut out = StringViewBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        out.append_option(array.is_valid(row).then(|| f(array.value(row))).flatten());
    }
    Arc::new(out.finish())
}

fn instants(array: &ArrayRef, f: impl Fn(usize, &str) -> Option<i64>) -> ArrayRef {
    let array: &StringViewArray = array.as_string_view();
    let mut out = TimestampMicrosecondBuilder::with_capacity(array.len());
    for row in 0..array.len() {
        out.append_option(array.is_valid(row).then(|| f(row, array.value(row))).flatten());
    }
    Arc::new(out.finish().with_timezone("UTC"))
}
