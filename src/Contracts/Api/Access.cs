namespace BackupDr.Contracts.Api;

/// <summary>POST session: signs a person in; the answer sets the cookie.</summary>
public sealed record SignInRequest(string Name, string Password)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"sign in {Name}";
}

/// <summary>Who is signed in.</summary>
/// <param name="Name">A person's or a key's name.</param>
/// <param name="Role">"admin" for now.</param>
/// <param name="MustChangePassword">The password was a one-time one.</param>
public sealed record Me(string Name, string Role, bool MustChangePassword);

/// <summary>GET me.</summary>
public sealed record ShowMeRequest;

/// <summary>POST me/password.</summary>
public sealed record ChangePasswordRequest(string Current, string New)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => "change password";
}

/// <summary>POST users: with a one-time password that must be changed at the first sign-in.</summary>
/// <param name="Name">2 to 64 letters, digits, dots, dashes, at signs.</param>
/// <param name="OneTimePassword">At least 12 characters; null to have one made.</param>
public sealed record CreateUserRequest(string Name, string? OneTimePassword = null)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"create user {Name}";
}

/// <summary>A user that was made.</summary>
/// <param name="Id">The user.</param>
/// <param name="Name">The name.</param>
/// <param name="OneTimePassword">Shown this once; null where the user existed already and nothing was changed.</param>
public sealed record UserCreated(UserId Id, string Name, string? OneTimePassword)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"{Id} {Name}";
}

/// <summary>GET audit: newest first.</summary>
public sealed record ListAuditRequest(long? Before = null, int Limit = 100);

/// <summary>One entry of the append-only audit log.</summary>
public sealed record AuditEntry(long Seq, DateTimeOffset At, string Actor, string Action, string Object, string Detail, string Hash);

/// <summary>A page of the audit log and whether its hash chain is whole.</summary>
public sealed record AuditPage(IReadOnlyList<AuditEntry> Entries, bool ChainIsWhole, long? Next);
