//! Numbers in checkpoints that are read as they were written, to the last bit.
//!
//! JSON has no infinities, and parsers of its numbers may round; so these are texts.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    // The shortest text that only this number is nearest to.
    serializer.serialize_str(&format!("{value:?}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| D::Error::custom(format!("{text}: {error}")))
}

/// Such a number by itself.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Exact(#[serde(with = "crate::exact")] pub f64);

#[cfg(test)]
mod tests {
    #[test]
    fn every_number_comes_back() {
        use super::Exact;
        let subnormal = f64::from_bits(3);
        for value in
            [0.1 + 0.2, -0.0, f64::MAX, subnormal, 5e-324, 122.416_294_033_786_58, f64::INFINITY, f64::NEG_INFINITY]
        {
            let Exact(read) = serde_json::from_str(&serde_json::to_string(&Exact(value)).unwrap()).unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{value}");
        }
        let Exact(read) = serde_json::from_str(&serde_json::to_string(&Exact(f64::NAN)).unwrap()).unwrap();
        assert!(read.is_nan());
        assert!(serde_json::from_str::<Exact>("\"much\"").is_err());
    }
}
