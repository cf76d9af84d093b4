namespace BackupDr.Contracts.Api;

/// <summary>A role, everywhere or in a part of the fleet.</summary>
/// <param name="Role">Viewer, Auditor, Operator, Restorer, PolicyAdmin, AgentAdmin, StorageAdmin, Approver, SecurityAdmin or Admin;
/// capitals and dashes do not count.</param>
/// <param name="Scope">host=PATTERN (with * for any letters), label=KEY=VALUE, policy=NAME or location=NAME; null for everywhere.</param>
public sealed record RoleGrant(string Role, string? Scope = null);

/// <summary>GET users.</summary>
public sealed record ListUsersRequest;

/// <summary>GET users/{id}.</summary>
public sealed record ShowUserRequest(UserId Id);

/// <summary>A person who may sign in.</summary>
public sealed record User
{
    /// <summary>Names it.</summary>
    public required UserId Id { get; init; }
    /// <summary>The name to sign in with.</summary>
    public required string Name { get; init; }
    /// <summary>What it may do, and where.</summary>
    public required IReadOnlyList<RoleGrant> Roles { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>Since when it cannot sign in; null where it can.</summary>
    public DateTimeOffset? DisabledAt { get; init; }
    /// <summary>When it was last seen.</summary>
    public DateTimeOffset? LastSeenAt { get; init; }
    /// <summary>It has not chosen an own password yet.</summary>
    public bool MustChangePassword { get; init; }
    /// <summary>Until when an invitation link holds that was not used.</summary>
    public DateTimeOffset? InvitedUntil { get; init; }
    /// <summary>Open sessions; only where one user is asked for.</summary>
    public IReadOnlyList<UserSession> Sessions { get; init; } = [];
    /// <summary>Whether it is who asks.</summary>
    public bool IsMe { get; init; }
}

/// <summary>An open session of a browser.</summary>
/// <param name="Id">Names it; not its token.</param>
/// <param name="CreatedAt">When the person signed in.</param>
/// <param name="LastSeenAt">When it was last used.</param>
/// <param name="Address">From where.</param>
/// <param name="IsThis">It is the one that asks.</param>
public sealed record UserSession(SessionId Id, DateTimeOffset CreatedAt, DateTimeOffset LastSeenAt, string Address, bool IsThis);

/// <summary>PUT users/{id}/roles: these and no others.</summary>
public sealed record SetUserRolesRequest(IReadOnlyList<RoleGrant> Roles, UserId Id = default);

/// <summary>POST users/{id}/disable: signs it out everywhere, and lets it in no more.</summary>
public sealed record DisableUserRequest(UserId Id);

/// <summary>POST users/{id}/enable.</summary>
public sealed record EnableUserRequest(UserId Id);

/// <summary>POST users/{id}/password: a new one-time password, or a link; signs it out everywhere.</summary>
/// <param name="Id">The user.</param>
/// <param name="Invite">A link in place of a password.</param>
public sealed record ResetPasswordRequest(UserId Id = default, bool Invite = false);

/// <summary>DELETE users/{id}/sessions/{session}.</summary>
public sealed record EndSessionRequest(UserId Id, SessionId Session);

/// <summary>GET me/sessions.</summary>
public sealed record ListOwnSessionsRequest;

/// <summary>DELETE me/sessions/{session}.</summary>
public sealed record EndOwnSessionRequest(SessionId Session);

/// <summary>POST invitation: whoever holds the link chooses a password, once.</summary>
/// <param name="Token">From the link.</param>
/// <param name="Password">At least 12 characters.</param>
public sealed record AcceptInvitationRequest(string Token, string Password)
{
    /// <summary>Shows neither.</summary>
    public override string ToString() => "accept an invitation";
}

/// <summary>GET keys.</summary>
public sealed record ListApiKeysRequest;

/// <summary>An API key, without what it consists of.</summary>
public sealed record ApiKey
{
    /// <summary>Names it.</summary>
    public required ApiKeyId Id { get; init; }
    /// <summary>What people call it; stands in the audit log as "key:NAME".</summary>
    public required string Name { get; init; }
    /// <summary>What it may do, and where.</summary>
    public required IReadOnlyList<RoleGrant> Roles { get; init; }
    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>Who made it; null for the bootstrap key.</summary>
    public string? CreatedBy { get; init; }
    /// <summary>When it stops working; null for the bootstrap key.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
    /// <summary>When it was revoked.</summary>
    public DateTimeOffset? RevokedAt { get; init; }
    /// <summary>When it was last used, to the minute.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }
    /// <summary>From where.</summary>
    public string? LastUsedFrom { get; init; }
}

/// <summary>POST keys.</summary>
/// <param name="Name">2 to 64 letters, digits, dots, dashes and underscores.</param>
/// <param name="Roles">What it may do, and where; never approve.</param>
/// <param name="Days">For how many days, 1 to 366.</param>
public sealed record CreateApiKeyRequest(string Name, IReadOnlyList<RoleGrant> Roles, int Days = 90);

/// <summary>A key that was made.</summary>
/// <param name="Id">Names it.</param>
/// <param name="Key">The key itself, shown this once.</param>
/// <param name="ExpiresAt">When it stops working.</param>
public sealed record ApiKeyCreated(ApiKeyId Id, string Key, DateTimeOffset ExpiresAt)
{
    /// <summary>Shows no key.</summary>
    public override string ToString() => Id.ToString();
}

/// <summary>DELETE keys/{id}.</summary>
public sealed record RevokeApiKeyRequest(ApiKeyId Id);
