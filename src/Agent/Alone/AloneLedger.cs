using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Rules.Calendar;

namespace BackupDr.Agent.Alone;

/// <summary>Which nominal times of each item are nobody's business any more: nodes dealt with them, handed them to this host, or it made
/// them alone. On disk, so that none is made twice.</summary>
public sealed class AloneLedger
{
    const int MostOfAnItem = 16;

    readonly string _file;
    readonly Lock _gate = new();
    readonly Dictionary<ItemId, DateTimeOffset> _settled = [];
    readonly Dictionary<ItemId, List<DealtWith>> _done = [];

    /// <summary>Reads what is there; a file that is damaged counts as none.</summary>
    /// <param name="state">The state folder.</param>
    public AloneLedger(AgentState state)
    {
        _file = Path.Combine(state.AloneFolder, "done.json");
        if (!File.Exists(_file)) return;
        LedgerText? text;
        try { text = JsonSerializer.Deserialize(File.ReadAllBytes(_file), LedgerJson.Default.LedgerText); }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException) { return; }   // the next node tells it
        foreach (var (item, until) in text?.Settled ?? []) _settled[item] = until;
        foreach (var (item, done) in text?.Done ?? []) _done[item] = done;
    }

    /// <summary>Of an item: up to when nodes have dealt with it, null where they never told; and what was made since.</summary>
    public (DateTimeOffset? Since, IReadOnlyList<DealtWith> Done) Of(ItemId item)
    {
        lock (_gate)
            return (_settled.TryGetValue(item, out var since) ? since : null, _done.TryGetValue(item, out var done) ? [.. done] : []);
    }

    /// <summary>Keeps what a node says; forgets what it made needless.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Settle(IReadOnlyList<AloneSettled> settled)
    {
        lock (_gate)
        {
            if (settled.Count == _settled.Count && settled.All(one => _settled.TryGetValue(one.Item, out var until) && until == one.Until))
                return;
            _settled.Clear();
            foreach (var one in settled) _settled[one.Item] = one.Until;
            foreach (var (item, done) in _done.ToList())
                if (!_settled.TryGetValue(item, out var until) || done.RemoveAll(run => run.Until <= until) > 0 && done.Count == 0)
                    _done.Remove(item);
            Write();
        }
    }

    /// <summary>Keeps that a nominal time was made, or is being made.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Cover(ItemId item, DateTimeOffset nominal, DateTimeOffset until)
    {
        lock (_gate)
        {
            if (!_done.TryGetValue(item, out var done)) _done[item] = done = [];
            done.RemoveAll(run => run.NominalAt == nominal && run.Until <= until);
            done.Add(new DealtWith(nominal, until > nominal ? until : nominal));
            if (done.Count > MostOfAnItem) done.RemoveRange(0, done.Count - MostOfAnItem);
            Write();
        }
    }

    void Write()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_file)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        PrivateFile.Write(_file, JsonSerializer.Serialize(new LedgerText([.. _settled.Select(one => new AloneSettled(one.Key, one.Value))],
            [.. _done.Select(one => new ItemDone(one.Key, one.Value))]), LedgerJson.Default.LedgerText));
    }
}

/// <summary>The ledger as it is written.</summary>
sealed record LedgerText(IReadOnlyList<AloneSettled> Settled, IReadOnlyList<ItemDone> Done);

/// <summary>What was made of an item.</summary>
sealed record ItemDone(ItemId Item, List<DealtWith> Runs);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LedgerText))]
sealed partial class LedgerJson : JsonSerializerContext;
