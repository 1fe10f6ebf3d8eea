"""Models trained from datasets, compared with the current labeler on the locked test set, and promoted."""
