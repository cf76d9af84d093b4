using Npgsql;

namespace BackupDr.Scheduler.Database;

/// <summary>Tells a database that is away from one that refuses.</summary>
public static class Outage
{
    /// <summary>Whether a failure comes from the way to the database or from its going down or over to another server: the same call may
    /// work in a moment, and nothing is wrong with it.</summary>
    public static bool Is(Exception failure) => failure switch
    {
        PostgresException refused => IsGoingAway(refused.SqlState),
        NpgsqlException => true,   // what does not come from the server comes from the way to it, or from having found none
        _ => false,
    };

    /// <summary>Whether a commit that failed so may have taken place.</summary>
    internal static bool LeavesCommitOpen(Exception failure) => Is(failure)
        // A connection that breaks in the middle of a commit has surfaced as these, too.
        || failure is IOException or ObjectDisposedException or System.Net.Sockets.SocketException or TimeoutException;

    /// <summary>Classes 08 (connection), 57P (shutdown, crash, starting up) and 25006: the server has become a standby.</summary>
    static bool IsGoingAway(string state) => state.StartsWith("08", StringComparison.Ordinal)
        || (state.StartsWith("57P", StringComparison.Ordinal) && state != PostgresErrorCodes.DatabaseDropped)
        || state == PostgresErrorCodes.ReadOnlySqlTransaction;
}
