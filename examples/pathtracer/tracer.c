//go:build ignore

/* A small path tracer: it renders one tile of one picture and writes it as a
 * PPM file. It is a WASI preview 1 command without a C library, and its
 * output depends on nothing but its arguments: every random number is a
 * function of (pixel, sample, dimension), so a picture cut into tiles is the
 * same picture, whoever renders which tile, in whatever order.
 *
 * The scene: the word GOLEM in bent tubes, a clay golem standing on the foot
 * of its L, some balls on a polished floor, and the moon rising. Lengths are
 * roughly metres, y points up, the floor is y = 0. (The first line keeps the Go
 * tool, which builds the package around this file, from asking for cgo.) */

#include "wasi.h"

/* ---- vectors ---------------------------------------------------------- */

typedef struct { float x, y, z; } vec;

static vec make(float x, float y, float z) { return (vec){x, y, z}; }
static vec add(vec a, vec b) { return make(a.x + b.x, a.y + b.y, a.z + b.z); }
static vec sub(vec a, vec b) { return make(a.x - b.x, a.y - b.y, a.z - b.z); }
static vec mul(vec a, vec b) { return make(a.x * b.x, a.y * b.y, a.z * b.z); }
static vec scale(vec a, float s) { return make(a.x * s, a.y * s, a.z * s); }
static vec along(vec a, vec d, float t) { return add(a, scale(d, t)); }
static vec blend(vec a, vec b, float t) { return add(scale(a, 1 - t), scale(b, t)); }
static float dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec cross(vec a, vec b) { return make(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x); }
static vec reflect(vec d, vec n) { return along(d, n, -2 * dot(d, n)); }

static float root(float x) { return __builtin_sqrtf(x); }
static float least(float a, float b) { return a < b ? a : b; }
static float most(float a, float b) { return a > b ? a : b; }
static float clamp(float x, float low, float high) { return most(low, least(high, x)); }
static float fifth(float x) { return x * x * x * x * x; }
static float grey(vec c) { return 0.2126f * c.x + 0.7152f * c.y + 0.0722f * c.z; }
static vec unit(vec a) { return scale(a, 1 / root(dot(a, a))); }

/* ---- random numbers --------------------------------------------------- */

/* The samples of a pixel follow Sobol's (0,2)-sequence, shuffled and scrambled
 * anew for every pair of dimensions in the manner of Owen, so that a few dozen
 * of them cover lens, light and lobe evenly. Method and constants of owen are
 * Laine and Karras's, in the form of Burley, "Practical Hash-based Owen
 * Scrambling", JCGT 2020; those of hash are Wellons's lowbias32. */
typedef struct { float u, v; } pair;
typedef struct { uint32_t pixel, index, mask, dimension; } sampler;

static uint32_t hash(uint32_t x) {
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

/* owen scrambles a binary fraction whose first digit is the lowest bit. */
static uint32_t owen(uint32_t x, uint32_t seed) {
	x += seed;
	x ^= x * 0x6c50b47cu;
	x ^= x * 0xb82f1e52u;
	x ^= x * 0xc7afe638u;
	return x ^ x * 0x8d22f6e6u;
}

static float fraction(uint32_t digits) {
	return (float)(__builtin_bitreverse32(digits) >> 8) * 0x1p-24f;
}

static pair draw(sampler *s) {
	uint32_t seed = hash(s->pixel + s->dimension++ * 0x9e3779b9u);
	uint32_t n = __builtin_bitreverse32(owen(__builtin_bitreverse32(s->index), seed)) & s->mask;
	uint32_t second = 0;
	for (uint32_t rest = n, column = 1; rest; rest >>= 1, column ^= column << 1) {
		if (rest & 1) second ^= column;
	}
	return (pair){fraction(owen(n, hash(seed))), fraction(owen(second, hash(~seed)))};
}

/* turn gives cosine and sine of a quarter turn times x, |x| <= 1/2. */
static pair turn(float x) {
	float a = x * 1.57079633f, q = a * a;
	return (pair){1 - q * (0.5f - q * (1.f / 24 - q * (1.f / 720))),
		a * (1 - q * (1.f / 6 - q * (1.f / 120 - q * (1.f / 5040))))};
}

/* disk maps the unit square to the unit disk, keeping neighbours together
 * (Shirley and Chiu's concentric map). */
static pair disk(pair p) {
	float a = 2 * p.u - 1, b = 2 * p.v - 1;
	if (a == 0 && b == 0) return (pair){0, 0};
	if (a * a > b * b) {
		pair t = turn(b / a / 2);
		return (pair){a * t.u, a * t.v};
	}
	pair t = turn(a / b / 2);
	return (pair){b * t.v, b * t.u};
}

/* lobe tilts n by a disk of the given radius; radius 1 is Lambert's cosine. */
static vec lobe(vec n, pair p, float radius) {
	vec t = unit(n.x * n.x > 0.5f ? make(n.z, 0, -n.x) : make(0, -n.z, n.y));
	pair d = disk(p);
	float a = d.u * radius, b = d.v * radius;
	vec flat = add(scale(t, a), scale(cross(n, t), b));
	return along(flat, n, root(most(0, 1 - a * a - b * b)));
}

/* ---- scene ------------------------------------------------------------ */

typedef enum { MATTE, CLAY, GLOSS, METAL, GLASS, GLOW } finish;
typedef struct { finish finish; vec colour; float rough; } material;

enum { FLOOR, TUBE, STONE, EYE, GOLD, SILVER, CRYSTAL, RED, TEAL, IVORY };

static const material materials[] = {
	[FLOOR] = {GLOSS, {0, 0, 0}, 0},
	[TUBE] = {GLOSS, {0.015f, 0.05f, 0.55f}, 0},
	[STONE] = {CLAY, {0.36f, 0.17f, 0.10f}, 0},
	[EYE] = {GLOW, {0.15f, 1.7f, 2.2f}, 0},
	[GOLD] = {METAL, {1.0f, 0.70f, 0.29f}, 0.12f},
	[SILVER] = {METAL, {0.93f, 0.94f, 0.95f}, 0},
	[CRYSTAL] = {GLASS, {0.97f, 0.99f, 0.98f}, 0},
	[RED] = {GLOSS, {0.70f, 0.03f, 0.03f}, 0},
	[TEAL] = {GLOSS, {0.02f, 0.38f, 0.36f}, 0},
	[IVORY] = {MATTE, {0.80f, 0.74f, 0.62f}, 0},
};

/* Everything but the floor is a capsule: the points within radius of the
 * segment from a to a+axis. A ball is a capsule whose axis is zero. */
typedef struct { vec a, axis; float radius; int material; } capsule;

enum { MOST_CAPSULES = 96, LEAF = 2 };
static capsule capsules[MOST_CAPSULES];
static int capsule_count;

static void put(vec a, vec b, float radius, int material) {
	capsules[capsule_count++] = (capsule){a, sub(b, a), radius, material};
}

static void ball(float x, float z, float radius, int material) {
	vec centre = make(x, radius, z);
	put(centre, centre, radius, material);
}

/* letter bends a tube along strokes: points "xy" on a grid of 4 by 6, joined
 * in the order given, with "|" where the pen is lifted. */
static void letter(float left, const char *strokes) {
	const float radius = 0.17f, pitch = 0.29f;
	vec last = {0, 0, 0};
	int down = 0;
	for (const char *s = strokes; *s; s++) {
		if (*s == ' ') continue;
		if (*s == '|') {
			down = 0;
			continue;
		}
		float x = (float)(*s++ - '0'), y = (float)(*s - '0');
		vec at = make(left + x * pitch, radius + y * pitch, 0);
		if (down) put(last, at, radius, TUBE);
		last = at;
		down = 1;
	}
}

/* golem models the figure out of clay around the point between its feet. */
static void golem(vec at, float size) {
	static const struct { vec a, b; float radius; int material; } parts[] = {
		{{-.20f, .16f, 0}, {-.22f, .42f, 0}, .16f, STONE}, /* legs */
		{{.20f, .16f, 0}, {.22f, .42f, 0}, .16f, STONE},
		{{-.21f, .13f, .02f}, {-.24f, .13f, .16f}, .13f, STONE}, /* feet */
		{{.21f, .13f, .02f}, {.24f, .13f, .16f}, .13f, STONE},
		{{-.14f, .66f, 0}, {.14f, .66f, 0}, .28f, STONE}, /* trunk */
		{{-.26f, .96f, 0}, {.26f, .96f, 0}, .28f, STONE},
		{{-.05f, 1.32f, .08f}, {.05f, 1.32f, .08f}, .21f, STONE}, /* head */
		{{-.13f, 1.41f, .22f}, {.13f, 1.41f, .22f}, .07f, STONE}, /* brow */
		{{-.54f, .98f, .02f}, {-.68f, .62f, .08f}, .15f, STONE}, /* right arm hangs */
		{{-.68f, .44f, .14f}, {-.66f, .40f, .16f}, .19f, STONE},
		{{.54f, 1.02f, .02f}, {.80f, 1.22f, .10f}, .15f, STONE}, /* left arm waves */
		{{.80f, 1.22f, .10f}, {.84f, 1.48f, .16f}, .14f, STONE},
		{{.85f, 1.64f, .18f}, {.85f, 1.66f, .18f}, .18f, STONE},
		{{-.09f, 1.32f, .275f}, {-.09f, 1.32f, .275f}, .05f, EYE},
		{{.09f, 1.32f, .275f}, {.09f, 1.32f, .275f}, .05f, EYE},
	};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		put(along(at, parts[i].a, size), along(at, parts[i].b, size), parts[i].radius * size, parts[i].material);
	}
}

static void compose(void) {
	letter(-4.30f, "45 36 16 05 01 10 30 41 43 23");
	letter(-2.55f, "10 30 41 45 36 16 05 01 10");
	letter(-0.75f, "06 00 40");
	letter(1.25f, "40 00 06 46|03 33");
	letter(3.00f, "00 06 23 46 40");
	golem(make(0.05f, 0.34f, 0.02f), 0.9f);
	ball(-2.9f, 1.7f, 0.55f, CRYSTAL);
	ball(2.75f, 1.5f, 0.50f, GOLD);
	ball(-1.35f, 1.9f, 0.30f, RED);
	ball(1.2f, 2.3f, 0.28f, SILVER);
	ball(3.9f, 2.2f, 0.26f, IVORY);
	ball(-4.25f, 1.6f, 0.30f, TEAL);
	ball(-0.2f, 3.2f, 0.17f, TEAL);
	ball(-2.0f, 3.3f, 0.16f, GOLD);
	ball(2.2f, 3.5f, 0.18f, RED);
	ball(-5.6f, -1.6f, 0.8f, SILVER);
	ball(5.4f, -2.2f, 0.9f, TEAL);
}

/* ---- finding what a ray meets ----------------------------------------- */

typedef struct { vec from, way; } ray;
typedef struct { vec low, high; int first, count, skip; } box;

/* boxes is a tree in the order of a walk: a box's children follow it, skip is
 * where the walk goes on when the box is missed. A leaf has a count. */
static box boxes[2 * MOST_CAPSULES];
static int box_count;

static const float FAR = 1e30f, NEAR = 1e-3f;

static float part(vec v, int axis) { return axis == 0 ? v.x : axis == 1 ? v.y : v.z; }
static vec lower(vec a, vec b) { return make(least(a.x, b.x), least(a.y, b.y), least(a.z, b.z)); }
static vec upper(vec a, vec b) { return make(most(a.x, b.x), most(a.y, b.y), most(a.z, b.z)); }
static vec centre(const capsule *c) { return along(c->a, c->axis, 0.5f); }

static void sort(int first, int count, int axis) {
	for (int i = first + 1; i < first + count; i++) {
		capsule c = capsules[i];
		int j = i;
		for (; j > first && part(centre(&capsules[j - 1]), axis) > part(centre(&c), axis); j--) {
			capsules[j] = capsules[j - 1];
		}
		capsules[j] = c;
	}
}

static void build(int first, int count) {
	box *b = &boxes[box_count++];
	*b = (box){make(FAR, FAR, FAR), make(-FAR, -FAR, -FAR), first, count, 0};
	for (int i = first; i < first + count; i++) {
		vec a = capsules[i].a, e = add(a, capsules[i].axis);
		vec r = make(capsules[i].radius, capsules[i].radius, capsules[i].radius);
		b->low = lower(b->low, sub(lower(a, e), r));
		b->high = upper(b->high, add(upper(a, e), r));
	}
	if (count > LEAF) {
		vec size = sub(b->high, b->low);
		sort(first, count, size.x > size.y && size.x > size.z ? 0 : size.y > size.z ? 1 : 2);
		b->count = 0;
		build(first, count / 2);
		build(first + count / 2, count - count / 2);
	}
	b->skip = box_count;
}

static int crosses(const box *b, vec from, vec inverse, float limit) {
	vec p = mul(sub(b->low, from), inverse), q = mul(sub(b->high, from), inverse);
	vec in = lower(p, q), out = upper(p, q);
	float enter = most(most(in.x, in.y), most(in.z, 0));
	return enter <= least(least(out.x, out.y), least(out.z, limit));
}

/* meet gives the distance to the capsule's surface, FAR if there is none. A
 * ray that starts inside leaves by the far side of a ball only: nothing else
 * is transparent. */
static float meet(const capsule *c, ray r) {
	vec from = sub(r.from, c->a);
	float size = dot(c->axis, c->axis);
	if (size > 0) {
		float w = dot(c->axis, r.way), f = dot(c->axis, from);
		float qa = size - w * w, qb = size * dot(from, r.way) - f * w;
		float qc = size * (dot(from, from) - c->radius * c->radius) - f * f;
		float under = qb * qb - qa * qc;
		if (under < 0) return FAR;
		float t = (-qb - root(under)) / qa, y = f + t * w;
		if (y > 0 && y < size) return t > NEAR ? t : FAR;
		if (y >= size) from = sub(from, c->axis);
	}
	float b = dot(from, r.way), under = b * b - dot(from, from) + c->radius * c->radius;
	if (under < 0) return FAR;
	float half = root(under);
	if (-b - half > NEAR) return -b - half;
	return size == 0 && half - b > NEAR ? half - b : FAR;
}

typedef struct { float distance; int capsule; } hit; /* capsule -1: the floor */

static hit nearest(ray r) {
	hit h = {r.way.y < 0 ? -r.from.y / r.way.y : FAR, -1};
	if (h.distance < NEAR) h.distance = FAR;
	vec inverse = make(1 / r.way.x, 1 / r.way.y, 1 / r.way.z);
	for (int i = 0; i < box_count;) {
		const box *b = &boxes[i];
		if (!crosses(b, r.from, inverse, h.distance)) {
			i = b->skip;
			continue;
		}
		for (int j = b->first; j < b->first + b->count; j++) {
			float t = meet(&capsules[j], r);
			if (t < h.distance) h = (hit){t, j};
		}
		i++;
	}
	return h;
}

/* clear tells how much of the light from afar arrives: balls of glass, whose
 * focusing nobody misses, dim it; all else blocks it. */
static float clear(ray r) {
	float left = 1;
	vec inverse = make(1 / r.way.x, 1 / r.way.y, 1 / r.way.z);
	for (int i = 0; i < box_count;) {
		const box *b = &boxes[i];
		if (!crosses(b, r.from, inverse, FAR)) {
			i = b->skip;
			continue;
		}
		for (int j = b->first; j < b->first + b->count; j++) {
			if (meet(&capsules[j], r) == FAR) continue;
			if (materials[capsules[j].material].finish != GLASS) return 0;
			left *= 0.7f;
		}
		i++;
	}
	return left;
}

/* ---- light ------------------------------------------------------------ */

enum { BOUNCES = 10 };

/* The sun sets behind the viewer's left shoulder; opposite, the moon rises. */
static const vec sun_way = {-0.59f, 0.57f, 0.5718f};
static const float sun_size = 0.07f;
static const vec sun_light = {2.6f, 2.0f, 1.45f}; /* falling on a surface that faces it */
static const vec sun_face = {40, 33, 24};         /* seen in a mirror */

static const vec moon_way = {-0.035f, 0.012f, -0.9993f};
static const vec moon_foot = {1.25f, 0.42f, 0.20f}, moon_head = {1.6f, 1.25f, 0.75f};
static const float moon_edge = 0.9925f, moon_blur = 0.0003f;

static vec sky(vec way) {
	float up = most(0, way.y), low = 1 - least(1, up * 2.2f);
	vec c = blend(make(0.03f, 0.06f, 0.26f), make(0.90f, 0.40f, 0.30f), low * low * low);
	float edge = (dot(way, moon_way) - moon_edge) / moon_blur;
	return blend(c, blend(moon_foot, moon_head, clamp(way.y * 5.5f, 0, 1)), clamp(edge, 0, 1));
}

static vec sun(vec way) {
	float apart = 1 - dot(way, sun_way);
	return apart < sun_size * sun_size / 2 ? sun_face : make(0, 0, 0);
}

static float corner(int x, int y, int z) {
	return (float)(hash((uint32_t)x * 73856093u ^ (uint32_t)y * 19349663u ^ (uint32_t)z * 83492791u) >> 8) * 0x1p-24f;
}

/* noise is smooth and between 0 and 1; clay uses it for stains and dents. */
static float noise(vec p) {
	float fx = __builtin_floorf(p.x), fy = __builtin_floorf(p.y), fz = __builtin_floorf(p.z);
	float u = p.x - fx, v = p.y - fy, w = p.z - fz, sum = 0;
	u = u * u * (3 - 2 * u), v = v * v * (3 - 2 * v), w = w * w * (3 - 2 * w);
	for (int i = 0; i < 8; i++) {
		int x = i & 1, y = i >> 1 & 1, z = i >> 2;
		sum += (x ? u : 1 - u) * (y ? v : 1 - v) * (z ? w : 1 - w) * corner((int)fx + x, (int)fy + y, (int)fz + z);
	}
	return sum;
}

typedef struct { vec at, normal; material made; } surface;

static surface floor_at(vec at) {
	surface s = {make(at.x, 0, at.z), make(0, 1, 0), materials[FLOOR]};
	float tile = __builtin_floorf(at.x) + __builtin_floorf(at.z);
	int odd = tile - 2 * __builtin_floorf(tile / 2) != 0;
	s.made.colour = odd ? make(0.48f, 0.45f, 0.42f) : make(0.03f, 0.033f, 0.045f);
	return s;
}

static surface capsule_at(const capsule *c, vec at) {
	float size = dot(c->axis, c->axis);
	float along_axis = size > 0 ? clamp(dot(sub(at, c->a), c->axis) / size, 0, 1) : 0;
	surface s = {at, unit(sub(at, along(c->a, c->axis, along_axis))), materials[c->material]};
	if (s.made.finish == CLAY) {
		float coarse = noise(scale(at, 9)), fine = noise(scale(at, 31));
		s.made.colour = scale(s.made.colour, 0.55f + 0.5f * coarse + 0.35f * fine);
		vec dent = make(noise(scale(at, 23)), noise(scale(add(at, make(7, 0, 0)), 23)), noise(scale(add(at, make(0, 7, 0)), 23)));
		s.normal = unit(along(s.normal, sub(dent, make(0.5f, 0.5f, 0.5f)), 0.55f));
	}
	return s;
}

/* coat is Schlick's approximation of what a clear coat reflects. */
static float coat(float facing) { return 0.04f + 0.96f * fifth(1 - clamp(facing, 0, 1)); }

/* A path is followed from the eye: weight is how much of the light met at the
 * next surface arrives, mirrored says that it has met nothing but mirrors. The
 * functions named after a finish send it on and return 0 where it ends. */
typedef struct { ray r; vec light, weight; int mirrored; } path;

static void receive(path *p, vec light) { p->light = add(p->light, mul(p->weight, light)); }
static ray leave(const surface *s, float side, vec way) { return (ray){along(s->at, s->normal, side * NEAR), way}; }

/* sunlit gives the sunlight a matte surface sends on, whatever the direction. */
static vec sunlit(const surface *s, sampler *rnd) {
	vec way = lobe(sun_way, draw(rnd), sun_size);
	float facing = dot(way, s->normal);
	if (facing <= 0) return make(0, 0, 0);
	return scale(mul(s->made.colour, sun_light), facing * clear(leave(s, 1, way)));
}

static int glass(path *p, const surface *s, float chance) {
	vec way = p->r.way;
	float side = dot(way, s->normal) < 0 ? 1 : -1;
	vec n = scale(s->normal, side);
	float ratio = side > 0 ? 1 / 1.5f : 1.5f, facing = -dot(way, n);
	float under = 1 - ratio * ratio * (1 - facing * facing);
	p->weight = mul(p->weight, s->made.colour);
	if (under <= 0 || chance < coat(side > 0 ? facing : root(under))) {
		p->r = leave(s, side, reflect(way, n));
	} else {
		p->r = leave(s, -side, unit(along(scale(way, ratio), n, ratio * facing - root(under))));
	}
	return 1;
}

static int metal(path *p, const surface *s, pair chance) {
	p->weight = mul(p->weight, s->made.colour);
	p->r = leave(s, 1, lobe(reflect(p->r.way, s->normal), chance, s->made.rough));
	return dot(p->r.way, s->normal) > 0;
}

static int matte(path *p, const surface *s, float chance, sampler *rnd) {
	p->mirrored = 0;
	receive(p, sunlit(s, rnd));
	p->weight = mul(p->weight, s->made.colour);
	float keep = least(1, 4 * most(p->weight.x, most(p->weight.y, p->weight.z)));
	p->weight = scale(p->weight, 1 / keep);
	p->r = leave(s, 1, lobe(s->normal, draw(rnd), 1));
	return chance < keep;
}

/* gloss is matte under a clear coat. Of the two the path takes the one that
 * is likely to bring more light. */
static int gloss(path *p, const surface *s, pair chance, sampler *rnd) {
	ray mirror = leave(s, 1, reflect(p->r.way, s->normal));
	float shiny = coat(-dot(p->r.way, s->normal));
	vec face = sun(mirror.way);
	if (p->mirrored && face.x > 0) receive(p, scale(face, shiny * clear(mirror)));
	float odds = shiny / (shiny + (1 - shiny) * grey(s->made.colour));
	if (chance.u >= odds) {
		p->weight = scale(p->weight, (1 - shiny) / (1 - odds));
		return matte(p, s, chance.v, rnd);
	}
	p->weight = scale(p->weight, shiny / odds);
	p->r = mirror;
	p->mirrored = 0;
	return 1;
}

/* haze hides the end of the floor: with distance it turns into the sky above.
 * The trace of height keeps a ray straight down from having no direction. */
static void haze(path *p, vec at) {
	float far = 1 - 1 / (1 + dot(at, at) * dot(at, at) * 1e-6f);
	receive(p, scale(sky(unit(make(p->r.way.x, 1e-9f, p->r.way.z))), far));
	p->weight = scale(p->weight, 1 - far);
}

/* step follows the path to the next surface. The sun is too small to be met
 * by chance: matte surfaces and coats ask for it where they are met, and only
 * mirrored paths see its face. */
static int step(path *p, sampler *rnd) {
	hit h = nearest(p->r);
	if (h.distance == FAR) {
		receive(p, p->mirrored ? add(sky(p->r.way), sun(p->r.way)) : sky(p->r.way));
		return 0;
	}
	vec at = along(p->r.from, p->r.way, h.distance);
	surface s = h.capsule < 0 ? floor_at(at) : capsule_at(&capsules[h.capsule], at);
	if (h.capsule < 0) haze(p, at);
	pair chance = draw(rnd);
	switch (s.made.finish) {
	case GLOW:
		receive(p, s.made.colour);
		return 0;
	case GLASS: return glass(p, &s, chance.u);
	case METAL: return metal(p, &s, chance);
	case GLOSS: return gloss(p, &s, chance, rnd);
	default: return matte(p, &s, chance.v, rnd);
	}
}

static vec trace(ray r, sampler *rnd) {
	path p = {r, {0, 0, 0}, {1, 1, 1}, 1};
	for (int bounce = 0; bounce < BOUNCES && step(&p, rnd); bounce++) continue;
	return p.light;
}

/* ---- camera and film -------------------------------------------------- */

typedef struct { int width, height, x, y, tile_width, tile_height, samples; const char *out; } job;

/* look gives the ray through point (x, y) of the picture, in pixels, from a
 * point of the lens. */
static ray look(const job *j, float x, float y, pair lens) {
	const vec eye = {0.4f, 2.1f, 11.5f}, target = {0, 1.0f, 0};
	const float spread = 0.43f, aperture = 0.07f, focus = 11.0f;
	vec ahead = unit(sub(target, eye)), right = unit(cross(ahead, make(0, 1, 0))), up = cross(right, ahead);
	float half = (float)j->width / 2, u = (x - half) / half * spread;
	float v = ((float)j->height / 2 - y) / half * spread;
	vec sharp = scale(add(ahead, add(scale(right, u), scale(up, v))), focus);
	vec shift = add(scale(right, lens.u * aperture), scale(up, lens.v * aperture));
	return (ray){add(eye, shift), unit(sub(sharp, shift))};
}

static vec pixel(const job *j, int x, int y) {
	vec sum = {0, 0, 0};
	uint32_t mask = (uint32_t)j->samples - 1;
	for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
	for (int i = 0; i < j->samples; i++) {
		sampler rnd = {hash((uint32_t)x | (uint32_t)y << 16), (uint32_t)i, mask, 0};
		pair jitter = draw(&rnd);
		ray r = look(j, (float)x + jitter.u, (float)y + jitter.v, disk(draw(&rnd)));
		sum = add(sum, trace(r, &rnd));
	}
	return scale(sum, 1 / (float)j->samples);
}

/* tone maps light to a byte: Narkowicz's fit of the ACES film curve, then the
 * sRGB curve, whose exponent 1/2.4 is the fifth power of a twelfth root. */
static unsigned char tone(float light) {
	float x = light * 0.8f;
	x = clamp(x * (2.51f * x + 0.03f) / (x * (2.43f * x + 0.59f) + 0.14f), 0, 1);
	if (x <= 0.0031308f) return (unsigned char)(x * 12.92f * 255 + 0.5f);
	float quarter = root(root(x)), cube = quarter * 0.6f + 0.4f;
	for (int i = 0; i < 4; i++) cube -= (cube * cube * cube - quarter) / (3 * cube * cube);
	return (unsigned char)((1.055f * fifth(cube) - 0.055f) * 255 + 0.5f);
}

/* ---- the outside ------------------------------------------------------ */

enum { MOST_PIXELS = 16384, MOST_SAMPLES = 65536, BANDS = 16 };

static size_t length(const char *s) {
	size_t n = 0;
	while (s[n]) n++;
	return n;
}

/* say writes the parts as one message. Nobody listening is no error. */
#define SAY(fd, ...) say(fd, (const char *const[]){__VA_ARGS__, 0})
static void say(int fd, const char *const *parts) {
	wasi_iovec vec[8];
	size_t count = 0, written;
	for (; parts[count] && count < 8; count++) vec[count] = (wasi_iovec){parts[count], length(parts[count])};
	wasi_fd_write(fd, vec, count, &written);
}

#define USAGE "usage: pathtracer [--width N] [--height N] [--tile X,Y,W,H] [--samples N] --out FILE\n"
#define REFUSE(...) (SAY(WASI_STDERR, "pathtracer: ", __VA_ARGS__, "\n" USAGE), wasi_proc_exit(2))
#define FAIL(...) (SAY(WASI_STDERR, "pathtracer: ", __VA_ARGS__, "\n"), wasi_proc_exit(1))

static int same(const char *a, const char *b) {
	while (*a && *a == *b) a++, b++;
	return *a == *b;
}

/* number reads digits up to stop and returns what follows, 0 if it is none or
 * more than limit. */
static const char *number(const char *s, char stop, int limit, int *out) {
	int n = 0, digits = 0;
	for (; *s >= '0' && *s <= '9' && n <= limit; s++, digits++) n = n * 10 + (*s - '0');
	*out = n;
	return digits && n <= limit && *s == stop ? s + 1 : 0;
}

static int tile(const char *s, job *j) {
	return (s = number(s, ',', MOST_PIXELS, &j->x)) && (s = number(s, ',', MOST_PIXELS, &j->y)) &&
		(s = number(s, ',', MOST_PIXELS, &j->tile_width)) && number(s, 0, MOST_PIXELS, &j->tile_height);
}

static int set(job *j, const char *name, const char *value) {
	if (same(name, "--width")) return number(value, 0, MOST_PIXELS, &j->width) && j->width;
	if (same(name, "--height")) return number(value, 0, MOST_PIXELS, &j->height) && j->height;
	if (same(name, "--samples")) return number(value, 0, MOST_SAMPLES, &j->samples) && j->samples;
	if (same(name, "--tile")) return tile(value, j) && j->tile_width && j->tile_height;
	if (same(name, "--out")) return *(j->out = value) != 0;
	REFUSE("unknown argument ", name);
}

static job arguments(void) {
	static char *args[64], bytes[4096];
	size_t count, size;
	job j = {640, 400, 0, 0, 0, 0, 32, 0};
	if (wasi_args_sizes_get(&count, &size) || count > 64 || size > sizeof bytes || wasi_args_get(args, bytes)) {
		REFUSE("too many arguments");
	}
	for (size_t i = 1; i < count; i += 2) {
		if (i + 1 == count) REFUSE("no value for ", args[i]);
		if (!set(&j, args[i], args[i + 1])) REFUSE("bad value for ", args[i], ": ", args[i + 1]);
	}
	if (!j.out) REFUSE("no --out");
	if (!j.tile_width) j.tile_width = j.width, j.tile_height = j.height;
	if (j.x + j.tile_width > j.width || j.y + j.tile_height > j.height) REFUSE("the tile lies outside the picture");
	return j;
}

/* below gives the part of path inside dir, 0 if it is elsewhere. */
static const char *below(const char *path, const char *dir) {
	while (*path == '/') path++;
	while (*dir == '/' || (*dir == '.' && (dir[1] == '/' || !dir[1]))) dir++;
	if (!*dir) return path;
	while (*dir && *dir == *path) dir++, path++;
	if (*dir || (dir[-1] != '/' && *path != '/')) return 0;
	while (*path == '/') path++;
	return path;
}

/* create opens path for writing in the innermost directory lent to us. */
static int create(const char *path) {
	static char name[1024];
	const char *inner = 0;
	int dir = -1, fd;
	wasi_prestat lent;
	for (int i = WASI_FIRST_PREOPEN; !wasi_fd_prestat_get(i, &lent); i++) {
		if (lent.kind || lent.name_size >= sizeof name || wasi_fd_prestat_dir_name(i, name, lent.name_size)) continue;
		name[lent.name_size] = 0;
		const char *rest = below(path, name);
		if (rest && (!inner || rest > inner)) inner = rest, dir = i;
	}
	if (!inner || wasi_path_open(dir, 0, inner, length(inner), WASI_CREATE | WASI_TRUNCATE, WASI_RIGHT_WRITE, 0, 0, &fd)) {
		FAIL("cannot open ", path);
	}
	return fd;
}

static void store(int fd, const void *data, size_t size, const char *path) {
	for (size_t written; size; size -= written) {
		if (wasi_fd_write(fd, &(wasi_iovec){data, size}, 1, &written) || !written) FAIL("cannot write ", path);
		data = (const char *)data + written;
	}
}

static const char *decimal(int n, char text[12]) {
	char *s = text + 11;
	*s = 0;
	do *--s = (char)('0' + n % 10);
	while (n /= 10);
	return s;
}

__attribute__((export_name("_start"))) void start(void) {
	static unsigned char row[3 * MOST_PIXELS];
	job j = arguments();
	int fd = create(j.out), band = (j.tile_height + BANDS - 1) / BANDS;
	char width[12], height[12], done[12];
	const char *rows = decimal(j.tile_height, height);
	const char *header[] = {"P6\n", decimal(j.tile_width, width), " ", rows, "\n255\n"};
	for (int i = 0; i < 5; i++) store(fd, header[i], length(header[i]), j.out);
	compose();
	build(0, capsule_count);
	for (int y = 0; y < j.tile_height; y++) {
		for (int x = 0; x < j.tile_width; x++) {
			vec light = pixel(&j, j.x + x, j.y + y);
			unsigned char *p = row + 3 * x;
			p[0] = tone(light.x), p[1] = tone(light.y), p[2] = tone(light.z);
		}
		store(fd, row, 3 * (size_t)j.tile_width, j.out);
		if ((y + 1) % band == 0 || y + 1 == j.tile_height) SAY(WASI_STDOUT, decimal(y + 1, done), "/", rows, "\n");
	}
	if (wasi_fd_close(fd)) FAIL("cannot write ", j.out);
}
