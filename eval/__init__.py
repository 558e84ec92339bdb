"""Gold questions, metrics and reports. Never `import eval`: import from the modules."""
