using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>Reads, checks and writes what people and keys may do.</summary>
static class Grants
{
    const int Most = 50;

    /// <summary>The columns that <see cref="Read"/> needs.</summary>
    public const string Columns = "role, grants";

    /// <summary>What a row of person or api_key says.</summary>
    public static IReadOnlyList<RoleGrant> Read(Row row)
        => row.Json("grants", WireJson.Default.IReadOnlyListRoleGrant) ?? [new RoleGrant(row.Text("role"))];

    /// <summary>Turns what is stored into what a caller has now.</summary>
    public static async Task<IReadOnlyList<Grant>> Resolve(IReadOnlyList<RoleGrant> stored, ScopedThings things, CancellationToken ct)
    {
        var grants = new List<Grant>(stored.Count);
        foreach (var one in stored)
            grants.Add(new Grant(Enum.Parse<Role>(one.Role), one.Scope is null ? null : await things.Look(ScopeText.OfStored(one.Scope),
                ct)));
        return grants;
    }

    /// <summary>Checks what somebody wrote, and puts ids in the place of names.</summary>
    /// <exception cref="BadInputException">A role or a scope is none.</exception>
    public static async Task<IReadOnlyList<RoleGrant>> Check(SqlSource db, IReadOnlyList<RoleGrant> written, CancellationToken ct)
    {
        if (written.Count is 0 or > Most)
            throw new BadInputException("roles", $"{written.Count} roles were given.",
                $"Give 1 to {Most}; disable a user who may do nothing.");
        var grants = new List<RoleGrant>(written.Count);
        foreach (var one in written)
        {
            var role = RoleOf(one.Role);
            var scope = string.IsNullOrWhiteSpace(one.Scope) ? null : (await ScopeText.Parse(db, one.Scope, ct)).Text;
            if (scope is not null && role is (Role.Admin or Role.SecurityAdmin or Role.Approver or Role.Auditor))
                throw new BadInputException("scope", $"{Roles.Words(role)} is a role for everything: users, keys, approvals and the audit "
                    + "log belong to no part of the fleet.", "Leave the scope out.");
            grants.Add(new RoleGrant(role.ToString(), scope));
        }
        return [.. grants.Distinct()];
    }

    /// <summary>Whether somebody with these may do everything everywhere.</summary>
    public static bool IsAdmin(IReadOnlyList<RoleGrant> grants)
        => grants.Any(grant => grant.Scope is null && grant.Role == nameof(Role.Admin));

    /// <summary>The word that a node of the version before reads: it knows only administrators.</summary>
    public static Role Former(IReadOnlyList<RoleGrant> grants) => IsAdmin(grants) ? Role.Admin : Role.Anonymous;

    /// <summary>As jsonb.</summary>
    public static object? Json(IReadOnlyList<RoleGrant> grants) => JsonText.Of(grants, WireJson.Default.IReadOnlyListRoleGrant);

    /// <summary>For the audit log: "Operator for host=web-*, Viewer".</summary>
    public static string Words(IReadOnlyList<RoleGrant> grants)
        => string.Join(", ", grants.Select(grant => grant.Role + (grant.Scope is null ? "" : $" for {grant.Scope}")));

    /// <summary>Only an administrator makes administrators, and changes them.</summary>
    /// <exception cref="DeniedException">The caller is none.</exception>
    public static void MustNotOutrank(Caller caller, params IReadOnlyList<RoleGrant>[] touched)
    {
        var isAdmin = caller.Grants.Any(grant => grant.Role is (Role.Admin or Role.System) && grant.Scope is null);
        if (!isAdmin && touched.Any(IsAdmin))
            throw new DeniedException($"{caller.Name} is no administrator, and cannot make, change or take over one.",
                "Ask an administrator.");
    }

    static Role RoleOf(string text)
    {
        var word = text.Replace("-", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
        return Enum.TryParse<Role>(word, ignoreCase: true, out var role) && Roles.OfPeople.Contains(role)
            && char.IsAsciiLetter(word[0]) ? role : throw new BadInputException("roles", $"'{text}' is no role of people.",
                $"One of {string.Join(", ", Roles.OfPeople)}.");
    }
}
