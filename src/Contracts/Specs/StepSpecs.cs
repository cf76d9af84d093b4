namespace BackupDr.Contracts.Specs;

/// <content>Parameters of the kinds that a node carries out by itself: each step has those of its kind and no others.</content>
public sealed partial record StepSpec
{
    /// <summary>For <see cref="StepKind.Http"/>.</summary>
    public HttpSpec? Http { get; init; }
    /// <summary>For <see cref="StepKind.DnsChange"/>.</summary>
    public DnsSpec? Dns { get; init; }
    /// <summary>For <see cref="StepKind.LbSwitch"/>.</summary>
    public LbSpec? Lb { get; init; }
    /// <summary>For <see cref="StepKind.HealthWait"/>.</summary>
    public HealthSpec? Health { get; init; }
    /// <summary>For <see cref="StepKind.Notify"/>.</summary>
    public NotifySpec? Notify { get; init; }
}

/// <summary>One call of an address.</summary>
public record HttpCallSpec
{
    /// <summary>GET, HEAD, POST, PUT, PATCH or DELETE; GET by default.</summary>
    public string Method { get; init => field = value ?? "GET"; } = "GET";
    /// <summary>The address, http or https, without user and password.</summary>
    public required string Url { get; init; }
    /// <summary>Headers besides, at most 20. What gives the right to call is a secret, not a header.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init => field = value ?? new Dictionary<string, string>(); }
        = new Dictionary<string, string>();
    /// <summary>What is sent, in UTF-8, at most 64 KiB; null for nothing.</summary>
    public string? Body { get; init; }
    /// <summary>Name of the stored secret that is sent as a bearer token; null for none.</summary>
    public string? BearerSecret { get; init; }
    /// <summary>What a good answer is.</summary>
    public HttpExpectation Expect { get; init => field = value ?? new(); } = new();
    /// <summary>Certificates in PEM of authorities that may vouch for the address beside those that the node knows; null for none.
    /// </summary>
    public string? AuthorityPem { get; init; }
}

/// <summary>What a good answer is.</summary>
public sealed record HttpExpectation
{
    /// <summary>Status codes; none for 200 to 299.</summary>
    public IReadOnlyList<int> Status { get; init => field = value ?? []; } = [];
    /// <summary>Text that is in the body; null for whatever it says.</summary>
    public string? Contains { get; init; }
    /// <summary>A place in a body of JSON, as "$.status" or "$.nodes[0].state"; null for none.</summary>
    public string? JsonPath { get; init; }
    /// <summary>What stands there; null where anything may.</summary>
    public string? JsonGives { get; init; }
}

/// <summary>What a step calls, how that is undone, and what a rehearsal calls.</summary>
public sealed record HttpSpec : HttpCallSpec
{
    /// <summary>Whether the address knows a call again by its Idempotency-Key, so that a POST or PATCH may be sent once more where nobody
    /// knows whether it arrived.</summary>
    public bool IsRepeatable { get; init; }
    /// <summary>The call that undoes it; null where nothing does.</summary>
    public HttpCallSpec? Undo { get; init; }
    /// <summary>What a rehearsal calls in its place; null for nothing: it is only said what would be called.</summary>
    public HttpCallSpec? Rehearsal { get; init; }
}

/// <summary>Kinds of records that a step changes.</summary>
public enum DnsRecordKind
{
    /// <summary>IPv4 addresses.</summary>
    A,
    /// <summary>IPv6 addresses.</summary>
    Aaaa,
    /// <summary>Another name.</summary>
    Cname,
    /// <summary>Texts.</summary>
    Txt,
}

/// <summary>A record at a name server that takes updates (RFC 2136).</summary>
public record DnsTarget
{
    /// <summary>The zone's primary server: a name or an address, with ":port" where that is not 53.</summary>
    public required string Server { get; init; }
    /// <summary>The zone: "example.org".</summary>
    public required string Zone { get; init; }
    /// <summary>The record's whole name: "shop.example.org".</summary>
    public required string Record { get; init; }
    /// <summary>Name of the key that the server knows (TSIG, hmac-sha256).</summary>
    public required string Key { get; init; }
    /// <summary>Name of the stored secret that holds that key in base64.</summary>
    public required string KeySecret { get; init; }
}

/// <summary>What a record is to say, and what it said.</summary>
public sealed record DnsSpec : DnsTarget
{
    /// <summary>Its type.</summary>
    public DnsRecordKind Type { get; init; }
    /// <summary>What it has to say before; none for whatever it says. Nothing is changed where it says something else.</summary>
    public IReadOnlyList<string> From { get; init => field = value ?? []; } = [];
    /// <summary>What it is to say, 1 to <see cref="MostValues"/> values; one for a CNAME.</summary>
    public IReadOnlyList<string> To { get; init => field = value ?? []; } = [];
    /// <summary>How long others may remember it, 1 second to 1 day; default 1 minute.</summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.FromMinutes(1);
    /// <summary>The record that a rehearsal changes in its place; null for none: it is only said what would be changed.</summary>
    public DnsTarget? Rehearsal { get; init; }

    /// <summary>Most values of a record.</summary>
    public const int MostValues = 20;
}

/// <summary>Whether a server of a load balancer takes traffic.</summary>
public enum LbState
{
    /// <summary>It takes traffic.</summary>
    Ready,
    /// <summary>It keeps what it has and takes nothing new.</summary>
    Drain,
    /// <summary>It takes none.</summary>
    Maint,
}

/// <summary>A server behind a load balancer, and what is set of it.</summary>
public sealed record LbServer
{
    /// <summary>"backend/server", as the balancer calls them.</summary>
    public required string Name { get; init; }
    /// <summary>Its state; null to leave it.</summary>
    public LbState? State { get; init; }
    /// <summary>Its weight, 0 to 256; null to leave it.</summary>
    public int? Weight { get; init; }
}

/// <summary>An HAProxy with its runtime API.</summary>
public record LbTarget
{
    /// <summary>"host:port", or "unix:/run/haproxy/admin.sock" on the node itself.</summary>
    public required string Address { get; init; }
    /// <summary>What is set, in this order; 1 to 50 servers.</summary>
    public IReadOnlyList<LbServer> Servers { get; init => field = value ?? []; } = [];
}

/// <summary>What is switched.</summary>
public sealed record LbSpec : LbTarget
{
    /// <summary>What a rehearsal switches in its place; null for nothing: it is only said what would be switched.</summary>
    public LbTarget? Rehearsal { get; init; }
}

/// <summary>What is asked; exactly one of the three.</summary>
public record HealthTarget
{
    /// <summary>"host:port" that takes connections.</summary>
    public string? Tcp { get; init; }
    /// <summary>A call with GET or HEAD.</summary>
    public HttpCallSpec? Http { get; init; }
    /// <summary>A query.</summary>
    public SqlProbe? Sql { get; init; }
}

/// <summary>A query to PostgreSQL, in a transaction that cannot write.</summary>
public sealed record SqlProbe
{
    /// <summary>Name of the stored secret that holds the connection string.</summary>
    public required string ConnectionSecret { get; init; }
    /// <summary>The query; "select 1" by default.</summary>
    public string Query { get; init => field = value ?? "select 1"; } = "select 1";
    /// <summary>What the first column of the first row says as text; null for whatever it says.</summary>
    public string? Gives { get; init; }
}

/// <summary>What has to answer, and for how long.</summary>
public sealed record HealthSpec : HealthTarget
{
    /// <summary>How long it has to answer well without a break; zero, the default, for once.</summary>
    public TimeSpan For { get; init; }
    /// <summary>From one look to the next, 100 milliseconds to 5 minutes; default 1 second.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(1);
    /// <summary>What a rehearsal asks in its place; null for the same.</summary>
    public HealthTarget? Rehearsal { get; init; }
}

/// <summary>What is told, and to whom.</summary>
public sealed record NotifySpec
{
    /// <summary>Names of channels; none for all that are not paused.</summary>
    public IReadOnlyList<string> Channels { get; init => field = value ?? []; } = [];
    /// <summary>In one line, at most 150 characters.</summary>
    public required string Subject { get; init; }
    /// <summary>More of it, at most 10,000 characters; null for nothing.</summary>
    public string? Text { get; init; }
}
