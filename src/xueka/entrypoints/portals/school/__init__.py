"""What a school does: apply, correct, receive, hand out, report lost."""
