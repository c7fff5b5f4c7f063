"""What training minimises: each objective returns its total and its named terms."""
