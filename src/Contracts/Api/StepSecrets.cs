namespace BackupDr.Contracts.Api;

/// <summary>GET step-secrets.</summary>
public sealed record ListStepSecretsRequest;

/// <summary>PUT step-secrets/{name}.</summary>
public sealed record SaveStepSecretRequest
{
    /// <summary>Its name: a lower-case letter, then such letters, digits and hyphens; at most 40.</summary>
    public string Name { get; init => field = value ?? ""; } = "";
    /// <summary>What is kept secret, 1 to 8,192 characters. No answer has it.</summary>
    public required string Value { get; init; }
}

/// <summary>DELETE step-secrets/{name}.</summary>
/// <param name="Name">Its name.</param>
public sealed record RemoveStepSecretRequest(string Name);

/// <summary>A secret that steps of runbooks name, without what it says.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ChangedAt">When it was last stored.</param>
public sealed record StepSecret(string Name, DateTimeOffset ChangedAt);
