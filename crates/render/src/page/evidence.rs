//! What is known of one consumer, shown when it is asked for.

use std::io::{self, Write};

use super::model::{Consumer, Soak};
use super::view::View;
use super::words::{LABEL, LONG, instant, length, list, number, shown, time, words};

/// Writes a list of terms, those without a value left out.
pub(super) fn write(view: &View<'_>, consumer: &Consumer, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"<dl>")?;
    let mut term = |name: &str, value: &str| {
        if value.is_empty() { Ok(()) } else { write!(out, "<dt>{name}</dt><dd>{value}</dd>") }
    };
    for it in &consumer.uses {
        let Some(version) = view.secret.versions.get(it.version) else { continue };
        let name = format!("Version {}", shown(&version.version, LABEL));
        let mut facts: Vec<String> = Vec::new();
        if let (Some(first), Some(last)) = (it.first_used_time, it.last_used_time) {
            facts.push(format!("used {} to {}", instant(first), instant(last)));
        }
        for (count, word) in [
            (it.use_count, "direct"),
            (it.derived_use_count, "derived"),
            (it.rejected_count, "refused"),
        ] {
            if count > 0 {
                facts.push(format!("{} {word}", number(count)));
            }
        }
        if let Some(last) = it.last_rejected_time {
            facts.push(format!("last refused {}", instant(last)));
        }
        term(&name, &facts.join("; "))?;
    }
    let quiet = consumer.soak.as_ref().filter(|_| view.asked.is_some());
    term("Must stay quiet", &quiet.map_or_else(String::new, soak))?;
    term("Owner", &consumer.owner.as_deref().map_or_else(String::new, |it| shown(it, LONG)))?;
    term("In the registry", if consumer.is_declared { "declared" } else { "not declared" })?;
    let named = consumer.evidence.as_deref();
    term("Named by", &named.map_or_else(String::new, words))?;
    term("Principals", &list(&consumer.principals))?;
    term("Seen in", &list(&consumer.sources))?;
    term("Addresses", &list(&consumer.source_ips))?;
    term("User agents", &list(&consumer.user_agents))?;
    term("Attribution", &list(&consumer.attribution))?;
    out.write_all(b"</dl>")
}

/// How long it must stay quiet, and how that was reached.
fn soak(soak: &Soak) -> String {
    let method = match soak.method.as_str() {
        "longest_gap" => "its longest gap".to_owned(),
        "tail_model" => "its longest gap, extended by the tail model".to_owned(),
        "schedule" => "twice its declared interval".to_owned(),
        "short_history" => "a week, as it was seen for less than two".to_owned(),
        "floor" => "the floor of the policy".to_owned(),
        "rare_floor" => "the floor for rare jobs: too few uses to tell a rhythm".to_owned(),
        other => words(other),
    };
    let until = soak.until_time.map(|it| format!("until {}; ", time(Some(it))));
    let longest = soak.longest_gap_seconds.map(|it| format!(", longest {}", length(it)));
    format!(
        "{}by {method} ({} gaps observed{})",
        until.unwrap_or_default(),
        number(soak.gap_count),
        longest.unwrap_or_default()
    )
}
