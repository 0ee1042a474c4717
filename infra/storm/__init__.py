"""The broker boundary in bad weather: answers lost, delayed and broken, processes killed, streams with gaps."""
