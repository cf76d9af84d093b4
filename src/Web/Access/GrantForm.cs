using BackupDr.Contracts.Api;

namespace BackupDr.Web.Access;

/// <summary>What a form with roles holds.</summary>
public class GrantForm
{
    /// <summary>Rows of the largest form.</summary>
    public const int MostRows = 20;

    public List<string?> Role { get; set; } = [];
    public List<string?> Scope { get; set; } = [];

    /// <summary>The roles that it names.</summary>
    public IReadOnlyList<RoleGrant> Grants => [.. Role.Select((role, at) => (role, scope: ScopeAt(at)))
        .Where(one => !string.IsNullOrWhiteSpace(one.role))
        .Select(one => new RoleGrant(one.role!, string.IsNullOrWhiteSpace(one.scope) ? null : one.scope.Trim()))];

    public string? RoleAt(int at) => at < Role.Count ? Role[at] : null;

    public string? ScopeAt(int at) => at < Scope.Count ? Scope[at] : null;

    /// <summary>Shows what somebody has.</summary>
    public void Show(IReadOnlyList<RoleGrant> grants)
    {
        Role = [.. grants.Select(grant => grant.Role)];
        Scope = [.. grants.Select(grant => grant.Scope)];
    }
}
