"""The nouns of hilum: vocabulary, records, errors, plug-ins. Standard library and numpy only."""
