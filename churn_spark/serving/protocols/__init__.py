"""The same predictions in the words of others: the Open Inference Protocol, and MLflow's."""
