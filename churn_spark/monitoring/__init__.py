"""What a night is judged by: data quality, drift, performance, the policy, alerts."""
