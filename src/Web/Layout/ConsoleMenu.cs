namespace BackupDr.Web.Layout;

/// <summary>An entry of the menu, or a part of one.</summary>
/// <param name="Url">Where it leads.</param>
/// <param name="Word">What people read.</param>
/// <param name="Icon">Its picture; none for a part.</param>
/// <param name="Below">Addresses that belong to it besides its own.</param>
public sealed record MenuEntry(string Url, string Word, string Icon = "", params string[] Below)
{
    /// <summary>What is shown below it while a page of it is open.</summary>
    public IReadOnlyList<MenuEntry> Parts { get; init; } = [];

    /// <summary>Whether a page belongs to it.</summary>
    public bool IsOf(string path) => IsBelow(path, Url) || Below.Any(url => IsBelow(path, url)) || Parts.Any(part => part.IsOf(path));

    /// <summary>Whether it is that very page.</summary>
    public bool IsAt(string path) => path == Url;

    static bool IsBelow(string path, string url) => path == url || url != "/" && path.StartsWith(url + "/", StringComparison.Ordinal);
}

/// <summary>The menu: nine entries at most, in the order in which people need them. What is added goes into one of them.</summary>
public static class ConsoleMenu
{
    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<MenuEntry> Entries =
    [
        new("/", "Home", "home"),
        new("/items", "Protect", "items") { Parts = [new("/items", "Items"), new("/policies", "Policies")] },
        new("/agents", "Agents", "agents"),
        new("/restore", "Restore", "restore") { Parts = [new("/restore", "Restore"), new("/points", "Recovery points")] },
        new("/jobs", "Jobs", "jobs", "/runs"),
        new("/storage", "Storage", "storage"),
        new("/verification", "Verification", "evidence") { Parts = [new("/verification", "Overview"), new("/evidence", "Evidence")] },
        new("/runbooks", "Runbooks", "runbooks", "/executions"),
        new("/audit", "Audit & settings", "audit")
        {
            Parts =
            [
                new("/audit", "Audit"), new("/alerts", "Alerts"), new("/settings/notifications", "Notifications"),
                new("/approvals", "Approvals"), new("/settings/users", "Users"), new("/settings/keys", "API keys"),
            ],
        },
    ];
}
