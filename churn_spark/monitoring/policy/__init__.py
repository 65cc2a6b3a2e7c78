"""When to retrain, promote, roll back or wait: state and evidence in, decision out. Pure."""
