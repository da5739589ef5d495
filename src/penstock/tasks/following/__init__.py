"""Tasks on what comes next in what is not measured: characters, bytes, frames."""
