using BackupDr.Storage;
using BackupDr.Storage.Rest;

namespace BackupDr.Scheduler.Gateway;

/// <summary>What may be done to the objects of a repository through the gateway: added, and nothing more.</summary>
/// <remarks>
/// Whoever takes over a host can read that host's own backups, which it could read anyway, and cannot delete or change them. Locks come
/// and go with each run, so they may be deleted. Every name but the config's is the SHA-256 of its object (docs/format/restic-v2.md, F-1).
/// </remarks>
public record GatewayRules
{
    const int HexDigits = 64;

    /// <summary>Whether the name tells the object's SHA-256.</summary>
    public virtual bool IsNamedByContent(ObjectName name)
        => name.LastSegment is { Length: HexDigits } own && own.All(char.IsAsciiHexDigitLower)
        && RestNames.TryPath(name, out var path) && path != "config";

    /// <summary>Whether such an object may be added.</summary>
    public virtual bool MayPut(ObjectName name) => name.Value == "config" || IsNamedByContent(name);

    /// <summary>Whether such an object may be deleted.</summary>
    public virtual bool MayDelete(ObjectName name) => name.Value.StartsWith("locks/", StringComparison.Ordinal);
}
