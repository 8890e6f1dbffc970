"""What is wrong with the training evidence, found in what the runs logged: pure checks over records of runs."""
