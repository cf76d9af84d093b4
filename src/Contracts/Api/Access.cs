namespace BackupDr.Contracts.Api;

/// <summary>POST session: signs a person in; the answer sets the cookie.</summary>
public sealed record SignInRequest(string Name, string Password)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"sign in {Name}";
}

/// <summary>Who is signed in.</summary>
/// <param name="Name">A person's or a key's name.</param>
/// <param name="Role">Its roles in small letters, with commas between them.</param>
/// <param name="MustChangePassword">The password was a one-time one.</param>
/// <param name="Roles">Its roles, and where they count.</param>
public sealed record Me(string Name, string Role, bool MustChangePassword, IReadOnlyList<RoleGrant>? Roles = null);

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
/// <param name="Roles">What it may do, and where; null for everything everywhere.</param>
/// <param name="Invite">A link that holds for three days, in place of a one-time password.</param>
public sealed record CreateUserRequest(string Name, string? OneTimePassword = null, IReadOnlyList<RoleGrant>? Roles = null,
    bool Invite = false)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"create user {Name}";
}

/// <summary>A user that was made.</summary>
/// <param name="Id">The user.</param>
/// <param name="Name">The name.</param>
/// <param name="OneTimePassword">Shown this once; null where the user existed already and nothing was changed.</param>
/// <param name="Link">Shown this once: the path of the console at which the person chooses a password.</param>
public sealed record UserCreated(UserId Id, string Name, string? OneTimePassword, string? Link = null)
{
    /// <summary>Shows no password.</summary>
    public override string ToString() => $"{Id} {Name}";
}

/// <summary>GET audit: newest first.</summary>
/// <param name="Before">Only entries before this number.</param>
/// <param name="Limit">At most so many, 1 to 500.</param>
/// <param name="Actor">Only entries of this one, as the log names it.</param>
/// <param name="Action">Only this action, or with a dot at its end all of one subject: "policy."</param>
/// <param name="Object">Only about this thing.</param>
/// <param name="Text">Only entries with this text in who, what, object or detail.</param>
/// <param name="Since">Only from this moment on.</param>
/// <param name="Until">Only before this moment.</param>
public sealed record ListAuditRequest(long? Before = null, int Limit = 100, string? Actor = null, string? Action = null,
    string? Object = null, string? Text = null, DateTimeOffset? Since = null, DateTimeOffset? Until = null);

/// <summary>One entry of the append-only audit log.</summary>
public sealed record AuditEntry(long Seq, DateTimeOffset At, string Actor, string Action, string Object, string Detail, string Hash);

/// <summary>A page of the audit log and whether its hash chain is whole.</summary>
public sealed record AuditPage(IReadOnlyList<AuditEntry> Entries, bool ChainIsWhole, long? Next);
