"""What every role needs: log-in, password, search, errors – and the style guide."""
