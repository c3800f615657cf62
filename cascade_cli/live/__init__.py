"""The worker: claim, ask the student, apply the gates, let stand or send to the teacher, write once."""
