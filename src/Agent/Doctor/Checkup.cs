using System.Globalization;
using BackupDr.Agent.Alone;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Doctor;

/// <summary>Looks at everything that keeps an agent from working. Changes nothing.</summary>
sealed class Checkup(AgentState state, TimeProvider clock)
{
    static readonly (string Program, string For)[] Tools =
    [
        ("pg_ctl", "drills of PostgreSQL start the restored server"), ("mariadb-backup", "MariaDB servers cannot be backed up"),
        ("mariadbd", "drills of MariaDB start the restored server"), ("btrfs", "snapshots of Btrfs"), ("lvs", "snapshots of LVM"),
        ("restic", "checks with stock restic"), ("unshare", "drills are not isolated"),
    ];

    /// <summary>Tells each finding as it comes; whether nothing is bad.</summary>
    public async Task<bool> Run(Action<Finding> tell, CancellationToken ct)
    {
        var isWell = true;
        void Tell(Finding finding)
        {
            isWell &= finding.Health != Health.Bad;
            tell(finding);
        }
        Tell(Libraries());
        Tell(Verdicts.Rights(Capabilities(File.ReadLines("/proc/self/status"))));
        Tell(MissingTools(Environment.GetEnvironmentVariable("PATH") ?? ""));
        if (Identity(Tell) is not { } identity) return false;
        using (identity)
        {
            Tell(Verdicts.Private(state.KeyFile, File.GetUnixFileMode(state.KeyFile)));
            Tell(Verdicts.Disk(state.Folder, new DriveInfo(state.Folder).AvailableFreeSpace));
            Tell(Verdicts.Certificate(identity.Certificate.NotBefore.ToUniversalTime(), identity.Certificate.NotAfter.ToUniversalTime(),
                clock.GetUtcNow()));
            Tell(Process());
            var (kept, problem) = AlonePlans.Read(state);
            var queue = new AloneQueue(state.AloneFolder, mayMove: false);
            Tell(Verdicts.Alone((kept?.Plan, problem), Contact.Read(state)?.AnsweredAt, (queue.Waiting, queue.DamagedFiles),
                clock.GetUtcNow()));
            foreach (var url in identity.Membership.Urls)
                foreach (var finding in await new NodeLook(identity, clock).Look(new Uri(url), ct)) Tell(finding);
        }
        return isWell;
    }

    static Finding Libraries()
    {
        try
        {
            NativeLibraries.Check();
            return new Finding("libraries", Health.Good, "libzstd and libcrypto are there");
        }
        catch (BackupDrException e) { return new Finding("libraries", Health.Bad, e.Message, e.Hint); }
    }

    AgentIdentity? Identity(Action<Finding> tell)
    {
        try
        {
            var identity = AgentIdentity.Load(state);
            tell(new Finding("identity", Health.Good, $"joined as {identity.Membership.HostName}; knows {identity.Membership.Urls.Count} "
                + "addresses of nodes"));
            return identity;
        }
        catch (BadInputException e)
        {
            tell(new Finding("identity", Health.Bad, e.Message, e.Hint));
            return null;
        }
    }

    Finding Process()
    {
        try
        {
            using var held = FileLock.TryTake(FilePath.FromText(state.LockFile));
            return held is null ? new Finding("process", Health.Good, "an agent runs with this state folder")
                : new Finding("process", Health.Remark, "no agent runs with this state folder", "systemctl enable --now backupdr-agent");
        }
        catch (PosixException e)
        {
            return new Finding("process", Health.Bad, $"{state.LockFile}: {e.Message}",
                "Run the doctor as the agent's user, which is root.");
        }
    }

    /// <summary>The effective ones of a process.</summary>
    /// <param name="status">Its /proc/PID/status.</param>
    internal static ulong Capabilities(IEnumerable<string> status)
    {
        const string effective = "CapEff:";
        var line = status.FirstOrDefault(text => text.StartsWith(effective, StringComparison.Ordinal));
        return line is null ? 0 : ulong.Parse(line[effective.Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    internal static Finding MissingTools(string path)
    {
        string[] folders = [.. path.Split(':', StringSplitOptions.RemoveEmptyEntries), "/usr/sbin", "/sbin",
            .. Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").Select(one => $"{one}/bin") : []];
        var missing = Tools.Where(tool => !folders.Any(folder => File.Exists(Path.Combine(folder, tool.Program)))).ToList();
        return missing.Count == 0 ? new Finding("tools", Health.Good, "all that sources and drills may want are there")
            : new Finding("tools", Health.Remark, $"not there: {string.Join("; ", missing.Select(one => $"{one.Program} ({one.For})"))}",
                "Install those that this host's sources need; the others are no matter.");
    }
}
