using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Web.Parts;

namespace BackupDr.Web.Access;

/// <summary>The words of pages about people, keys and approvals.</summary>
public static class AccessText
{
    /// <summary>"Operator for host=web-*, Viewer".</summary>
    public static string Of(IReadOnlyList<RoleGrant> grants) => string.Join(", ", grants.Select(Of));

    static string Of(RoleGrant grant) => (Enum.TryParse<Role>(grant.Role, out var role) ? Roles.Words(role) : grant.Role)
        + (grant.Scope is null ? "" : $" for {grant.Scope}");

    public static (Tone Tone, string Word) State(User user) => user switch
    {
        { DisabledAt: not null } => (Tone.Off, "Disabled"),
        { InvitedUntil: not null } => (Tone.Unproven, "Invited"),
        { MustChangePassword: true } => (Tone.Unproven, "One-time password"),
        _ => (Tone.Proven, "Active"),
    };

    public static (Tone Tone, string Word) State(ApiKey key, DateTimeOffset now) => key switch
    {
        { RevokedAt: not null } => (Tone.Off, "Revoked"),
        { ExpiresAt: { } end } when end <= now => (Tone.Off, "Ended"),
        { ExpiresAt: { } end } when end <= now.AddDays(7) => (Tone.Unproven, "Ends soon"),
        _ => (Tone.Proven, "In use"),
    };

    public static (Tone Tone, string Word) State(ApprovalState state) => state switch
    {
        ApprovalState.Waiting => (Tone.Unproven, "Waiting"),
        ApprovalState.Approved => (Tone.Running, "Approved"),
        ApprovalState.Done => (Tone.Proven, "Done"),
        ApprovalState.Refused => (Tone.Off, "Refused"),
        ApprovalState.Expired => (Tone.Off, "Expired"),
        ApprovalState.Outdated => (Tone.Broken, "Outdated"),
        _ => (Tone.Broken, "Failed"),
    };
}
