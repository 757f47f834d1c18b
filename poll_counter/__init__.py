"""Count the players of every round of a live trivia show, by an unseen vote in a hidden poll."""
