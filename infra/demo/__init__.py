"""The main job: real sessions traded by three strategies in one account, then explained, replayed and reconciled."""
