"""Amazon Cognito user pools: sign-up, sign-in and tokens, with the settings of the template's resources."""
