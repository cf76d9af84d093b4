using System.Text.Json;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.Format;

/// <summary>Who works on the repository, and whether others may.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-9.1 and F-9.5.</remarks>
public sealed record LockFile
{
    /// <summary>When it was last refreshed.</summary>
    public required UnixTime Time { get; init; }
    /// <summary>Whether nobody else may work on it.</summary>
    public required bool IsExclusive { get; init; }
    /// <summary>Host of the owner.</summary>
    public required string HostName { get; init; }
    /// <summary>User of the owner; ours begin with "backupdr-".</summary>
    public required string UserName { get; init; }
    /// <summary>Process of the owner.</summary>
    public required int Pid { get; init; }
    /// <summary>The user's number.</summary>
    public uint Uid { get; init; }
    /// <summary>The user's group.</summary>
    public uint Gid { get; init; }

    /// <summary>Which process exactly, so that its death can be proved; null in locks of other programs.</summary>
    public ProcessBirth? Birth { get; init; }

    /// <summary>The JSON.</summary>
    public byte[] Write()
    {
        var json = new GoJson().Open('{').Name("time"u8).Text(GoTime.Format(Time)).Name("exclusive"u8).Bool(IsExclusive)
            .Name("hostname"u8).Text(HostName).Name("username"u8).Text(UserName).Name("pid"u8).Number((long)Pid);
        if (Uid != 0) json.Name("uid"u8).Number((ulong)Uid);
        if (Gid != 0) json.Name("gid"u8).Number((ulong)Gid);
        if (Birth is { } birth)
            json.Name("backupdr_process"u8).Open('{').Name("machine"u8).Text(birth.Machine).Name("boot"u8).Text(birth.Boot)
                .Name("pid_namespace"u8).Number(birth.PidNamespace).Name("time_namespace"u8).Number(birth.TimeNamespace)
                .Name("start_ticks"u8).Number(birth.StartTicks).Close('}');
        return json.Close('}').Written.ToArray();
    }

    /// <summary>Reads the JSON.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static LockFile Read(ReadOnlySpan<byte> json, string where)
    {
        var input = new JsonInput(json, where);
        var found = new LockFile { Time = default, IsExclusive = false, HostName = "", UserName = "", Pid = 0 };
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("time"u8)) found = found with { Time = input.Time() };
            else if (member.SequenceEqual("exclusive"u8)) found = found with { IsExclusive = input.Bool() };
            else if (member.SequenceEqual("hostname"u8)) found = found with { HostName = input.Text() };
            else if (member.SequenceEqual("username"u8)) found = found with { UserName = input.Text() };
            else if (member.SequenceEqual("pid"u8)) found = found with { Pid = (int)Math.Min(input.Unsigned(), int.MaxValue) };
            else if (member.SequenceEqual("uid"u8)) found = found with { Uid = input.Unsigned32() };
            else if (member.SequenceEqual("gid"u8)) found = found with { Gid = input.Unsigned32() };
            else if (member.SequenceEqual("backupdr_process"u8)) found = found with { Birth = ReadBirth(ref input) };
            else input.Skip();
        }
        return found;
    }

    static ProcessBirth ReadBirth(ref JsonInput input)
    {
        var birth = new ProcessBirth("", "", 0, 0, 0);
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("machine"u8)) birth = birth with { Machine = input.Text() };
            else if (member.SequenceEqual("boot"u8)) birth = birth with { Boot = input.Text() };
            else if (member.SequenceEqual("pid_namespace"u8)) birth = birth with { PidNamespace = input.Unsigned() };
            else if (member.SequenceEqual("time_namespace"u8)) birth = birth with { TimeNamespace = input.Unsigned() };
            else if (member.SequenceEqual("start_ticks"u8)) birth = birth with { StartTicks = input.Unsigned() };
            else input.Skip();
        }
        return birth;
    }
}
