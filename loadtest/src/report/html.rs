//! x
pub(super) fn page(_r: &super::json::Results) -> anyhow::Result<String> {
    Ok(String::new())
}
