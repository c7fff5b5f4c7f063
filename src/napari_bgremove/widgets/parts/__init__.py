"""Small widgets that know no viewer: values in, signals out."""
