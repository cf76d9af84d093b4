using Npgsql;

namespace BackupDr.Scheduler.Database;

/// <summary>Opens the database: of several servers always the primary, left soon when it is gone.</summary>
public static class DataSource
{
    /// <summary>How long a server is believed to be what it was when last asked, also to be away: one broken connection marks it
    /// so.</summary>
    const int RecheckSeconds = 1;
    /// <summary>Statements that a connection keeps planned, and how often it saw one before it does. What a run needs is some forty, and to
    /// plan them anew each time was more than half of what the database did for it.</summary>
    const int Prepared = 128, PreparedAfter = 3;
    const int ConnectSeconds = 5, AnswerSeconds = 20, CancelMilliseconds = 2000, SilenceSeconds = 5, SilencePause = 2;

    /// <summary>Opens it.</summary>
    /// <param name="connectionString">As Npgsql writes it; what it says holds before the time-outs given here.</param>
    /// <param name="node">The node's name, shown among the server's connections.</param>
    public static NpgsqlDataSource Open(string connectionString, string node)
    {
        var asked = new NpgsqlConnectionStringBuilder(connectionString);
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { ApplicationName = $"backupdr {node}" };
        if (!asked.ShouldSerialize("Host Recheck Seconds")) settings.HostRecheckSeconds = RecheckSeconds;
        if (!asked.ShouldSerialize("Timeout")) settings.Timeout = ConnectSeconds;
        if (!asked.ShouldSerialize("Command Timeout")) settings.CommandTimeout = AnswerSeconds;
        if (!asked.ShouldSerialize("Cancellation Timeout")) settings.CancellationTimeout = CancelMilliseconds;
        if (!asked.ShouldSerialize("Max Auto Prepare"))
        {
            settings.MaxAutoPrepare = Prepared;
            settings.AutoPrepareMinUsages = PreparedAfter;
        }
        // A Unix socket has no such options, and refuses them.
        var isNetwork = !(asked.Host ?? "").Split(',').Any(host => host.TrimStart().StartsWith('/'));
        if (isNetwork && !asked.ShouldSerialize("TCP Keepalive Time"))
        {
            settings.TcpKeepAlive = true;
            settings.TcpKeepAliveTime = SilenceSeconds;
            settings.TcpKeepAliveInterval = SilencePause;
        }
        settings.TargetSessionAttributes = null;   // said below; the builder refuses both
        return new NpgsqlDataSourceBuilder(settings.ConnectionString).BuildMultiHost().WithTargetSession(TargetSessionAttributes.Primary);
    }
}
