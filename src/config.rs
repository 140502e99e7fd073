//! `scrim.yaml` → [`Config`]. Every value is checked on construction; what is wrong is said with its place.
