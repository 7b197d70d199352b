"""The file is the queue; a task is a decorator and one call."""
