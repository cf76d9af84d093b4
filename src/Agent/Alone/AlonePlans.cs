using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent.Alone;

/// <summary>A plan as it is kept.</summary>
/// <param name="Mark">Its mark; empty for none.</param>
/// <param name="Term">The term of the control plane that made it.</param>
/// <param name="Plan">The plan.</param>
public sealed record KeptPlan(string Mark, long Term, AlonePlan Plan)
{
    /// <summary>Before a node told any.</summary>
    public static KeptPlan None { get; } = new("", 0, new AlonePlan { After = TimeSpan.MaxValue, Lasts = TimeSpan.Zero });
}

/// <summary>What this host may do alone, sealed in the state folder.</summary>
public sealed class AlonePlans
{
    readonly AgentState _state;
    readonly AgentIdentity _identity;
    readonly Lock _gate = new();
    KeptPlan _kept = KeptPlan.None;
    string _sealedUnder = "";

    /// <summary>Reads the file; one that cannot be opened counts as none, and is asked for again.</summary>
    public AlonePlans(AgentState state, AgentIdentity identity)
    {
        (_state, _identity) = (state, identity);
        if (Read(state) is not { Plan: { } plan }) return;
        (_kept, _sealedUnder) = (plan, identity.Certificate.Thumbprint);
    }

    /// <summary>The plan of now.</summary>
    public KeptPlan Kept { get { lock (_gate) return _kept; } }

    /// <summary>Whether it may be carried out: a later control plane that this host was told of has not been asked yet.</summary>
    public bool IsOfLatestTerm => Kept.Term >= _identity.Term.Term;

    /// <summary>Keeps a plan that a node told.</summary>
    /// <exception cref="IOException">It cannot be written; it counts until this process ends.</exception>
    public void Keep(KeptPlan plan)
    {
        lock (_gate)
        {
            _kept = plan;
            Write();
        }
    }

    /// <summary>Seals it anew where the host's key was renewed since.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void FollowKey()
    {
        lock (_gate)
            if (_kept.Mark.Length > 0 && _sealedUnder != _identity.Certificate.Thumbprint) Write();
    }

    void Write()
    {
        var under = _identity.Certificate.Thumbprint;
        Directory.CreateDirectory(_state.AloneFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var plain = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{_kept.Mark}\n{_kept.Term}\n")
            + JsonSerializer.Serialize(_kept.Plan, WireJson.Default.AlonePlan));
        PrivateFile.Write(FileOf(_state), Convert.ToBase64String(HostSeal.Seal(_state, plain)));
        CryptographicOperations.ZeroMemory(plain);
        _sealedUnder = under;
    }

    static string FileOf(AgentState state) => Path.Combine(state.AloneFolder, "plan.sealed");

    /// <summary>What is kept; both null where nothing is.</summary>
    /// <returns>The plan, or why it cannot be opened.</returns>
    internal static (KeptPlan? Plan, string? Problem) Read(AgentState state)
    {
        if (!File.Exists(FileOf(state))) return (null, null);
        try
        {
            var plain = HostSeal.Open(state, Convert.FromBase64String(File.ReadAllText(FileOf(state))));
            var parts = Encoding.UTF8.GetString(plain).Split('\n', 3);
            CryptographicOperations.ZeroMemory(plain);
            var plan = JsonSerializer.Deserialize(parts[2], StoredJson.Of(WireJson.Default.AlonePlan))
                ?? throw new JsonException("it is empty");
            return (new KeptPlan(parts[0], long.Parse(parts[1], CultureInfo.InvariantCulture), plan), null);
        }
        catch (Exception e) when (e is CryptographicException or FormatException or JsonException or IOException
            or UnauthorizedAccessException or IndexOutOfRangeException)
        {
            return (null, e.Message);   // damaged, or sealed on another machine: the next node that answers tells it again
        }
    }
}
