"""Step Functions: executions, redrive, and moto's interpreter with its slow parts replaced."""
