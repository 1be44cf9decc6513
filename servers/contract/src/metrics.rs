//! Reading one value of a Prometheus text.

use std::collections::BTreeSet;

/// The value of the counter or gauge with this name and exactly these labels, in any order.
pub fn sample(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    let wanted: BTreeSet<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    text.lines().find_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (series_name, series_labels) = match series.strip_suffix('}') {
            Some(labelled) => labelled.split_once('{')?,
            None => (series, ""),
        };
        let series_labels = series_labels.split(',').filter(|label| !label.is_empty());
        let same = series_name == name
            && series_labels.map(str::to_owned).collect::<BTreeSet<_>>() == wanted;
        same.then(|| value.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_name_and_all_of_its_labels() {
        let text = "# TYPE a counter\na 1\na{x=\"1\"} 2\na{x=\"1\",y=\"2\"} 3\n";
        assert_eq!(sample(text, "a", &[]), Some(1));
        assert_eq!(sample(text, "a", &[("x", "1")]), Some(2));
        assert_eq!(sample(text, "a", &[("y", "2"), ("x", "1")]), Some(3));
        assert_eq!(sample(text, "a", &[("y", "2")]), None);
        assert_eq!(sample(text, "b", &[]), None);
    }
}
