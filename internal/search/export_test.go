package search

// Short is how much less than nothing a set may score to be kept for the next round.
const Short = short
